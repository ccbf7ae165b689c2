"""A declaration in a few languages, packed as npm packs it, and a MASSIVE folder of three languages."""

import io
import json
import tarfile

ARTICLES = {
    "eng": {1: ["All human beings are born free"], 2: ["Everyone is entitled", "no distinction"], 30: ["Nothing here"]},
    "hin": {1: ["सभी मनुष्यों को गौरव"], 2: ["सभी को इस घोषणा"], 30: ["इस घोषणा में"]},
    "mya": {1: ["လူတိုင်းသည် တူညီ"], 2: ["လူတိုင်းသည်"]},
}
MASSIVE = {
    "en-US": ["wake me up", "stop", "play jazz now please"],
    "hi-IN": ["मुझे जगा दो जी", "रुको", "अब जैज़ बजाओ कृपया"],
    "my-MM": ["နှိုး ပါ", "ရပ်", "ဂျက်ဇ် ဖွင့်"],
}


def declaration(articles):
    body = "".join(
        f'<article data-number="{n}"><h2>Heading {n}</h2>'
        + (f"<p>{parts[0]}</p>" + "".join(f"<ol><li>{part}</li></ol>" for part in parts[1:]))
        + "</article>"
        for n, parts in articles.items()
    )
    return f"<!doctype html><title>x</title><header><p>Whereas</p></header>{body}"


def write_udhr(path, articles=None):
    """The archive; pages are made of `articles`, or are bytes as they stand."""
    with tarfile.open(path, "w:gz") as archive:
        pages = {
            name: declaration(one).encode() if isinstance(one, dict) else one
            for name, one in (articles or ARTICLES).items()
        }
        files = {
            "package/package.json": b"{}",
            **{f"package/declaration/{name}.html": page for name, page in pages.items()},
        }
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_massive(folder):
    folder.mkdir(parents=True)
    for locale, texts in MASSIVE.items():
        rows = [{"id": str(i), "partition": "test", "utt": text} for i, text in enumerate(texts)]
        rows.append({"id": "9", "partition": "train", "utt": "other"})
        lines = [json.dumps(row, ensure_ascii=False) for row in reversed(rows)]
        (folder / f"{locale}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder

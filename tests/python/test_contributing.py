"""What CONTRIBUTING.md, CHANGELOG.md and the pre-commit hooks say is true of the tree."""

import re
import shlex

import cutaway
import pytest
from conftest import ROOT

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
LINT = (ROOT / "scripts/lint.sh").read_text("utf-8")
LISTS = {"sampler": "csrc/sample/samplers.def", "architecture": "csrc/arch/archs.def", "weight": "kernels/quants.def"}


def test_every_path_exists():
    named = {word for word in re.findall(r"`([^`\s]+)`", CONTRIBUTING) if "/" in word}
    named |= set(re.findall(r"\]\(([^)]+)\)", CONTRIBUTING))
    assert len(named) > 20
    for path in sorted(named):
        pattern = re.sub(r"<\w+>", "*", path)
        assert list(ROOT.glob(pattern.rstrip("/"))), path


def test_every_command_exists():
    targets = re.findall(r"^(\w+): ;", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert set(re.findall(r"^    make (\w+)", CONTRIBUTING, re.M)) == set(targets)
    presets = (ROOT / "CMakePresets.json").read_text("utf-8")
    for preset in ("release", "asan", "tsan"):
        assert f"`{preset}`" in CONTRIBUTING.replace("cpp_tests.sh release`", "`release`") and f'"{preset}"' in presets


@pytest.mark.parametrize("what", LISTS)
def test_the_steps_name_the_list_and_the_names_in_it(what):
    section = next(part for part in CONTRIBUTING.split("\n## ") if what in part.split("\n")[0])
    assert f"`{LISTS[what]}`" in section
    words = {"sampler": ("STAGES",), "architecture": (), "weight": ("DECODED", "WEIGHT_TYPES")}[what]
    for word in words:
        assert f"`{word}`" in section
        files = [ROOT / path for path in re.findall(r"`([\w/]+\.py)`", section)]
        assert any(re.search(rf"^{word}\b", file.read_text("utf-8"), re.M) for file in files)


def hooks():
    """The hooks as dictionaries: the file is plain enough to be read without a YAML library."""
    out = []
    for line in (ROOT / ".pre-commit-config.yaml").read_text("utf-8").splitlines():
        found = re.fullmatch(r"      (- |  )(\w+): (.+)", line)
        if found:
            if found[1] == "- ":
                out.append({})
            out[-1][found[2]] = found[3]
    return out


def test_the_hooks_are_local_and_call_what_lint_calls():
    text = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"repo: (.+)", text) == ["local"] and len(hooks()) == text.count("- id:") == 4
    yaml = pytest.importorskip("yaml", reason="the hooks are also read as YAML where PyYAML is installed")
    assert [hook["id"] for hook in yaml.safe_load(text)["repos"][0]["hooks"]] == [hook["id"] for hook in hooks()]


def test_each_hook_runs_a_tool_of_lint():
    for hook in hooks():
        assert hook["language"] == "system", hook
        words = shlex.split(hook["entry"])
        tool = words[2] if words[:2] == ["python", "-m"] else words[0]
        assert re.search(rf"^(check |while|  ).*\b{tool}\b", LINT, re.M), hook
    files = re.compile(next(hook["files"] for hook in hooks() if "files" in hook))
    assert files.search("csrc/sample/top_k.cpp") and files.search("kernels/generic/rope.inl")
    assert not files.search("python/cutaway/cli.py")


def test_the_changelog_has_this_version_and_these_commands():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[{re.escape(cutaway.__version__)}\]", text, re.M)
    from cutaway import cli

    for command in set(cli._COMMANDS) - {"completion"}:
        assert f"`{command}`" in text

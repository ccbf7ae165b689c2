"""What the tests of the lessons share."""

import html

from cutaway.lessons.verdict import Verdict


def judged(verdict: Verdict, right: bool | None, words: str) -> None:
    assert verdict.right is right and words in verdict.says, verdict
    assert html.escape(verdict.says) in verdict._repr_html_()
    assert repr(verdict).startswith({True: "Right", False: "Not yet", None: "No answer yet"}[right])

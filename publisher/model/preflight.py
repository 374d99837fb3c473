"""What is looked over before anything goes out: the codes of findings, and which of them block."""

CODES: dict[str, bool] = {
    "article": True,
    "page": True,
    "template": True,
    "alt-missing": False,
    "look": False,
    "date-far": False,
    "headline-repeated": False,
    "headline-twice": False,
    "image-large": False,
    "image-missing": False,
    "issue-clipped": False,
    "issue-large": False,
    "link-dead": False,
    "link-unreachable": False,
    "newsletter-missing": False,
    "placeholder": False,
    "postal-missing": False,
    "reference-unknown": False,
    "story-large": False,
    "subject-long": False,
    "subject-missing": False,
    "summary-missing": False,
    "title-long": False,
    "translation-missing": False,
}
"""Code → whether such a finding can keep something from going out; `article` does where the file is refused."""

"""A hook of MkDocs: formulas become MathML, which browsers show without a script or a font from elsewhere."""

import html
import re

from latex2mathml.converter import convert

# What pymdownx.arithmatex leaves of $...$ and $$...$$.
FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\(?P<open>[(\[])(?P<latex>.*?)\\[)\]]</\1>', flags=re.DOTALL
)


def on_page_content(content: str, **_: object) -> str:
    """The page's HTML with each formula as MathML."""
    return FORMULA.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    block = found["open"] == "["
    formula = convert(html.unescape(found["latex"]), display="block" if block else "inline")
    return f'<div class="formula">{formula}</div>' if block else formula

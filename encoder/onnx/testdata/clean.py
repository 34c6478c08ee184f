"""Makes clean.json of this directory anew: python3 clean.py

Texts cleaned with Python's own functions in the order in which OpenCLIP's tokenizer uses
them, ftfy left out: html.unescape twice, then white space, capitals, punctuation.
"""
import html, json, os, string

here = os.path.dirname(os.path.abspath(__file__))
texts = json.load(open(os.path.join(here, "../../tokenizer/testdata/more_goldens.json")))["texts"] + [
    "A dog.", "&amp;lt;b&amp;gt; caf&eacute; &#8364;5 &copy", "The_Big,  (red) DOG's $5 \u2014 \u00c9\u03a3", "x\x1cy\x1fz\x85w", string.punctuation, "a_b__c", "\u0130I\u0131i \u1e9e", "\u03a3\u03a3\u03a3 \u039f\u03a3",
]
drop = str.maketrans("", "", string.punctuation)


def unescape(t):
    return html.unescape(html.unescape(t)).strip()


ways = {
    "whitespace": lambda t: " ".join(unescape(t).split()),
    "lower": lambda t: " ".join(unescape(t).split()).lower(),
    "canonicalize": lambda t: " ".join(unescape(t).replace("_", " ").translate(drop).lower().split()),
}
json.dump([{"how": how, "text": t, "want": f(t)} for how, f in ways.items() for t in texts], open(os.path.join(here, "clean.json"), "w"), ensure_ascii=True, indent=0)

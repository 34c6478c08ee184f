"""Makes tokenizer.json and goldens.json of this directory anew.

    python3 make.py

Trains 500 pieces on the captions of testdata/toy-clip with SentencePiece's
spm_train (Debian: sentencepiece), with the replacements of RULES, writes them as
tokenizer.json with what a SigLIP export names around them, and has the
reference implementation (Hugging Face's tokenizers, from npm as
@anush008/tokenizers 0.6.0) turn texts into ids.
"""
import base64, csv, json, os, string, subprocess, tempfile

RULES = {  # what -> what it becomes
    "\u00a0": " ", "\u3000": " ", "\ufb01": "fi", "\ufb02": "fl", "\u00bd": "1/2", "\u2026": "...",
    "e\u0301": "\u00e9", "a\u0308": "\u00e4", "\u2122": "TM", "\u200b": "", "\u2460": "1", "\uac00": "ga",
    "\U0001d5ba": "a", "\u304b\u3099": "\u304c",
    **{chr(0xff01 + i): chr(0x21 + i) for i in range(94)},
}
TEXTS = [
    "", " ", "a wolf", "A Wolf!", "  two   red\tfish\n", "a photo of 2 red fish.", "THREE WHITE HORSES", "it's a wolf's den",
    "unknownword", "zzz qqq xxx", "caf\u00e9 cafe\u0301", "na\u00efve \u00dcber stra\u00dfe", "\uff21\uff22\uff23 \uff11\uff12\uff13 \uff01", "\ufb01sh and \ufb02owers",
    "\u4e2d\u6587\u5b57\u7b26", "\u304b\u3099\u3042", "\ud55c\uad6d\uc5b4 \uac00", "\U0001f43a", "a \U0001f43a in the snow", "\U0001f468\u200d\U0001f469\u200d\U0001f467 family", "\u0130stanbul \u03a3\u03a3",
    "a\u00a0dog\u3000b", "a\u200bdog", "\u2581a wolf", "_a_wolf_", "</s>", "a </s> wolf", "a wolf</s>  in the snow", "<unk>", "x<unk>y <UNK>", "half \u00bd of it\u2026",
    "a\u0308\u0301\u0302", "\u2460\u2461", "\U0001d5ba\U0001d5bb", "!?.,;:", "...a", "a...", "tab\tand\x0bvertical\x0cfeed\x85next", "\u2028line\u2029paragraph",
    "the garden " * 40, "wolf" * 30, "\u4e2d" * 100, "1234567890", "3.14159", "e-mail@example.org", "[CLS] [SEP]", "a drawing of a grey wolf playing in the backyard",
    "\r\n", "a\r\nb", "\ud7b0\u0e33\u0e01\u0e33", "\U0001f1e9\U0001f1ea flag", "q\u0328\u0323", "q\u0301wolf",
]
here = os.path.dirname(os.path.abspath(__file__))
corpus = os.path.join(here, "../../../testdata/toy-clip/corpus/metadata.csv")


def field(b, at):
    """Reads one field of a protobuf message: number, value, where the next one begins."""
    def varint(at):
        n = shift = 0
        while True:
            n |= (b[at] & 127) << shift
            shift += 7
            at += 1
            if b[at - 1] < 128:
                return n, at
    tag, at = varint(at)
    if tag & 7 == 0:
        v, at = varint(at)
    elif tag & 7 == 5:
        v, at = b[at:at + 4], at + 4
    else:
        n, at = varint(at)
        v, at = b[at:at + n], at + n
    return tag >> 3, v, at


def fields(b):
    at, out = 0, []
    while at < len(b):
        n, v, at = field(b, at)
        out.append((n, v))
    return out


def main():
    import struct
    with tempfile.TemporaryDirectory() as tmp:
        with open(corpus) as f, open(tmp + "/text", "w") as out:
            for row in list(csv.DictReader(f))[:6000]:
                out.write("".join(c for c in row["caption"].lower() if c not in string.punctuation) + "\n")
            for t in TEXTS:
                out.write(t.replace("\n", " ").replace("\r", " ")[:60] + "\n")
        with open(tmp + "/rules.tsv", "w") as out:
            for a, b in RULES.items():
                hexes = lambda s: " ".join(f"{ord(c):X}" for c in s)
                out.write(f"{hexes(a)}\t{hexes(b)}\n")
        subprocess.run(["spm_train", "--input=" + tmp + "/text", "--model_prefix=" + tmp + "/m", "--model_type=unigram", "--vocab_size=500",
                        "--normalization_rule_tsv=" + tmp + "/rules.tsv", "--character_coverage=0.999", "--hard_vocab_limit=false",
                        "--pad_id=0", "--eos_id=1", "--unk_id=2", "--bos_id=-1", "--minloglevel=2"], check=True, stderr=subprocess.DEVNULL)
        vocab, charsmap = [], b""
        for n, v in fields(open(tmp + "/m.model", "rb").read()):
            if n == 1:
                p = dict(fields(v))
                vocab.append([p[1].decode(), struct.unpack("<f", p[2])[0] if 2 in p else 0.0])
            elif n == 3:
                charsmap = dict(fields(v)).get(2, b"")
    special = dict(single_word=False, lstrip=False, rstrip=True, normalized=False, special=True)
    spec = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": 1, "content": "</s>", **special}, {"id": 2, "content": "<unk>", **special, "rstrip": False, "normalized": True}],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
            {"type": "Lowercase"},
            {"type": "Replace", "pattern": {"Regex": "[!\"\\#\\$%\\&'\\(\\)\\*\\+,\\-\\./:;=\\?@\\[\\\\\\]\\^_`\\{\\|\\}\\~]"}, "content": ""},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
            {"type": "Strip", "strip_left": True, "strip_right": True},
        ]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                           "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": False, "vocab": vocab},
    }
    json.dump(spec, open(here + "/tokenizer.json", "w"), ensure_ascii=False)
    # The same pieces prepared in other ways, as other files do.
    replace = lambda what, to: {"type": "Replace", "pattern": what, "content": to}
    variants = {
        "siglip": {},
        "plain": {"normalizer": None},
        "t5": {"normalizer": {"type": "Sequence", "normalizers": [spec["normalizer"]["normalizers"][0], replace({"Regex": " {2,}"}, "\u2581")]},
               "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}]}},
        "first": {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
                  "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}},
        "never": {"normalizer": {"type": "Sequence", "normalizers": [replace({"String": "wolf"}, "dog"), {"type": "NFC"}, replace({"Regex": "\\W+\\d"}, " "), {"type": "Prepend", "prepend": "a "}]},
                  "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": True},
                  "post_processor": {**spec["post_processor"], "single": [{"SpecialToken": {"id": "</s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}},
    }
    asked = {"texts": TEXTS, "specs": {k: json.dumps({**spec, **v}) for k, v in variants.items()}}
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--prefix", tmp, "@anush008/tokenizers@0.6.0"], check=True)
        json.dump(asked, open(tmp + "/asked.json", "w"))
        open(tmp + "/run.js", "w").write("""
const {Tokenizer} = require('@anush008/tokenizers'); const fs = require('fs');
const asked = JSON.parse(fs.readFileSync(__dirname + '/asked.json')); const out = {};
(async () => {
  for (const [name, spec] of Object.entries(asked.specs)) {
    fs.writeFileSync(__dirname + '/spec.json', spec);
    const t = Tokenizer.fromFile(__dirname + '/spec.json'); out[name] = [];
    for (const text of asked.texts) out[name].push(Array.from((await t.encode(text)).getIds()));
  }
  fs.writeFileSync(__dirname + '/out.json', JSON.stringify(out));
})();""")
        subprocess.run(["node", tmp + "/run.js"], check=True)
        ids = json.load(open(tmp + "/out.json"))
    golden = [{"name": k, "changes": v, "ids": ids[k]} for k, v in variants.items()]
    with open(here + "/goldens.json", "w") as f:
        f.write(json.dumps({"texts": TEXTS, "variants": golden}, ensure_ascii=True))


main()

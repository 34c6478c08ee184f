"""Makes wordpiece.json, gemma.json, bytelevel.json and more_goldens.json of this directory anew.

    python3 make_more.py

Small vocabularies of the kinds that BERT, Gemma and GPT-2 have, made of the captions
of testdata/toy-clip: words and their ends for WordPiece, merges of the most frequent
pairs for the others. Ids are those of Hugging Face's tokenizers, from npm as
@anush008/tokenizers 0.6.0.
"""
import collections, csv, json, os, subprocess, tempfile, unicodedata

here = os.path.dirname(os.path.abspath(__file__))
TEXTS = json.load(open(os.path.join(here, "goldens.json")))["texts"] + [
    "unwanted running wolves", "WOLF'S den", "na\u00efve caf\u00e9 \u0130x", "\u4e2d\u6587wolf\u3042", "a\u0000b\ufffdc\u0007", "x" * 120, "don't they've I'll", "tab\t\tspace  two   three    ",
    "  leading", "trailing  ", "\u00a1hola! \u00bfqu\u00e9?", "1,234.5 (x+y)=z", "\u2019quote\u2019", "$100 ^_^ `code`", "[MASK] wolf", "<bos>a<eos>", "\u0378 \U0001f9a0", "a\u00adb", "\ue000private",
]
captions = [r["caption"] for r in csv.DictReader(open(os.path.join(here, "../../../testdata/toy-clip/corpus/metadata.csv")))][:4000]


def wordpiece():
    words = collections.Counter(w for c in captions for w in "".join(x if x.isalnum() else " " for x in c.lower()).split())
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({x for w in words for x in w} | set("0123456789.,!?'()-+=$^_`#&/:"))
    vocab += letters + ["##" + x for x in letters]
    vocab += [w for w, n in words.most_common(250) if len(w) > 1] + ["##s", "##es", "##ing", "##ed", "un", "##want", "run", "##n", "\u4e2d", "##\u6587"]
    ids = {}
    for t in vocab:
        ids.setdefault(t, len(ids))
    added = [dict(id=ids[t], content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for t in vocab[:5]]
    template = lambda *parts: [{"SpecialToken": {"id": p, "type_id": 0}} if p[0] == "[" else {"Sequence": {"id": p, "type_id": 0}} for p in parts]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing", "single": template("[CLS]", "A", "[SEP]"), "pair": template("[CLS]", "A", "[SEP]", "B", "[SEP]"),
                               "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")}},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": ids}}


def merges(words, n):
    """The n most frequent pairs, joined one after the other."""
    words = {tuple(w): c for w, c in words.items()}
    out = []
    for _ in range(n):
        pairs = collections.Counter()
        for w, c in words.items():
            for p in zip(w, w[1:]):
                pairs[p] += c
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        out.append(best)
        fresh = {}
        for w, c in words.items():
            got, i = [], 0
            while i < len(w):
                if i + 1 < len(w) and (w[i], w[i + 1]) == best:
                    got.append(w[i] + w[i + 1])
                    i += 2
                else:
                    got.append(w[i])
                    i += 1
            fresh[tuple(got)] = fresh.get(tuple(got), 0) + c
        words = fresh
    return out


def gemma():
    words = collections.Counter("\u2581" + w for c in captions for w in c.split())
    vocab = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    pairs = merges(words, 300) + [("\u2581", "\u2581"), ("\u2581\u2581", "\u2581\u2581")]
    vocab += sorted({x for w in words for x in w} | set("\u00e9\u4e2d")) + [a + b for a, b in pairs]
    ids = {}
    for t in vocab:
        ids.setdefault(t, len(ids))
    added = [dict(id=ids[t], content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for t in vocab[:4]]
    seq, tok = (lambda p: {"Sequence": {"id": p, "type_id": 0}}), (lambda p: {"SpecialToken": {"id": p, "type_id": 0}})
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
            "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
            "post_processor": {"type": "TemplateProcessing", "single": [tok("<bos>"), seq("A"), tok("<eos>")], "pair": [tok("<bos>"), seq("A"), seq("B")],
                               "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("<bos>", "<eos>")}},
            "decoder": None,
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": ids, "merges": [list(p) for p in pairs]}}


def bytelevel():
    table, n = {}, 256
    for b in range(256):
        if not (33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255):
            table[b], n = chr(n), n + 1
        else:
            table[b] = chr(b)
    words = collections.Counter("".join(table[x] for x in (" " + w).encode()) for c in captions for w in c.split())
    pairs = merges(words, 250)
    ids = {}
    for t in ["<s>", "</s>", "<unk>"] + [table[b] for b in range(256)] + [a + b for a, b in pairs]:
        ids.setdefault(t, len(ids))
    added = [dict(id=ids[t], content=t, single_word=False, lstrip=t == "<unk>", rstrip=False, normalized=False, special=True) for t in ("<s>", "</s>", "<unk>")]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]], "trim_offsets": True, "add_prefix_space": False},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": False,
                      "byte_fallback": False, "vocab": ids, "merges": [" ".join(p) for p in pairs]}}


specs = {"wordpiece": wordpiece(), "gemma": gemma(), "bytelevel": bytelevel()}
for name, s in specs.items():
    json.dump(s, open(os.path.join(here, name + ".json"), "w"), ensure_ascii=False)
split = lambda pattern, behavior, invert=False: {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}
qwen = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
variants = [
    ("wordpiece", {}), ("wordpiece", {"normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}}),
    ("wordpiece", {"pre_tokenizer": {"type": "Whitespace"}, "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}}),
    ("wordpiece", {"normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": True}]}}),
    ("gemma", {}), ("gemma", {"model": {**specs["gemma"]["model"], "byte_fallback": False}}),
    ("gemma", {"model": {**specs["gemma"]["model"], "byte_fallback": False, "fuse_unk": False}}),
    ("gemma", {"normalizer": None, "pre_tokenizer": split(r"\s+", "MergedWithNext")}), ("gemma", {"normalizer": None, "pre_tokenizer": split(r"[aeiou]", "MergedWithPrevious")}),
    ("gemma", {"normalizer": None, "pre_tokenizer": split(r"[aeiou]", "Contiguous")}), ("gemma", {"normalizer": None, "pre_tokenizer": split(r"\w+", "Isolated", True)}),
    ("bytelevel", {}), ("bytelevel", {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}}),
    ("bytelevel", {"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split(qwen, "Isolated"), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]}}),
    ("bytelevel", {"model": {**specs["bytelevel"]["model"], "ignore_merges": True}}),
]
with tempfile.TemporaryDirectory() as tmp:
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--prefix", tmp, "@anush008/tokenizers@0.6.0"], check=True)
    json.dump({"texts": TEXTS, "specs": [json.dumps({**specs[n], **c}) for n, c in variants]}, open(tmp + "/asked.json", "w"))
    open(tmp + "/run.js", "w").write("""
const {Tokenizer} = require('@anush008/tokenizers'); const fs = require('fs');
const asked = JSON.parse(fs.readFileSync(__dirname + '/asked.json')); const out = [];
(async () => {
  for (const spec of asked.specs) {
    fs.writeFileSync(__dirname + '/spec.json', spec);
    const t = Tokenizer.fromFile(__dirname + '/spec.json'); const ids = [];
    for (const text of asked.texts) ids.push(Array.from((await t.encode(text)).getIds()));
    out.push(ids);
  }
  fs.writeFileSync(__dirname + '/out.json', JSON.stringify(out));
})();""")
    subprocess.run(["node", tmp + "/run.js"], check=True)
    ids = json.load(open(tmp + "/out.json"))
golden = []
for (n, c), i in zip(variants, ids):
    if "model" in c:  # only what differs: vocabularies are large
        c = {"model": {k: v for k, v in c["model"].items() if k not in ("vocab", "merges")}}
    golden.append({"file": n, "changes": c, "ids": i})
json.dump({"texts": TEXTS, "variants": golden}, open(os.path.join(here, "more_goldens.json"), "w"), ensure_ascii=True)

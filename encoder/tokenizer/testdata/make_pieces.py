"""Makes pieces/*.model and pieces/goldens.json of this directory anew.

    /usr/bin/python3 make_pieces.py

Small models that SentencePiece trains on the captions of testdata/toy-clip (Debian:
sentencepiece and python3-sentencepiece 0.1.97), of the kinds that Gemma, Llama, XLM-R, nllb, SigLIP and T5
have, and some with what is rare: pieces that are not in use, spaces marked behind a word,
spaces that are kept. Ids are SentencePiece's own.
"""
import csv, json, os, random, struct, subprocess, tempfile
import sentencepiece

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, "pieces")
os.makedirs(out, exist_ok=True)
TEXTS = json.load(open(os.path.join(here, "more_goldens.json")))["texts"] + [
    "a<|u|>wolf", "<|u|><|u|> <|uu|>", "wolf\n\n\nden", "<0x41>a", "<s> a </s>", "\u2581\u2581 a \u2581", "   ", "\t", "wolfwolf the wolves", "a\u200bb\u200b", "\ufb01", " \ufb01 ", "\u00bd\u00bd", "\U0001f43a\U0001f43a\u4e2d",
    "\u00a0\u00a0a\u00a0\u00a0b\u00a0", "the  garden   in    the     snow", "<pad><unk>", "a\x00b", "\u2026\u2026 x", "eng_Latna wolf",
]
rng = random.Random(7)
words = "a the wolf wolves fish red two garden snow playing photo of in horses white drawing \u4e2d \U0001f43a caf\u00e9 \ufb01 \u00bd <|u|> <|uu|> \n \u00a0 zq 12 . , ! \u2581 </s> \u200b e\u0301".split(" ")
for _ in range(120):
    TEXTS.append("".join(rng.choice(words) + rng.choice(["", " ", " ", "  "]) for _ in range(rng.randint(1, 12))))
RULES = {"\u00a0": " ", "\u3000": "  ", "\ufb01": "fi", "\u00bd": " 1/2", "\u2026": "...", "e\u0301": "\u00e9", "e": "e", "\u200b": "", "\uff21": "a", "\uff21\uff22": "[ab]", "\t": " ", "\n": " "}
small = {k: v for k, v in RULES.items() if k not in "\n"} | {chr(65 + i): chr(97 + i) for i in range(26)}


def train(name, rules=None, **options):
    with tempfile.TemporaryDirectory() as tmp:
        with open(os.path.join(here, "../../../testdata/toy-clip/corpus/metadata.csv")) as f, open(tmp + "/text", "w") as text:
            for row in list(csv.DictReader(f))[:5000]:
                text.write(row["caption"] + "\n")
        args = {"input": tmp + "/text", "model_prefix": tmp + "/m", "vocab_size": 420, "hard_vocab_limit": "false", "minloglevel": 2, "num_threads": 1,
                "character_coverage": 0.999, "normalization_rule_name": "identity", **options}
        if rules:
            del args["normalization_rule_name"]
            with open(tmp + "/rules.tsv", "w") as f:
                for a, b in rules.items():
                    hexes = lambda s: " ".join(f"{ord(c):X}" for c in s)
                    f.write(f"{hexes(a)}\t{hexes(b)}\n")
            args["normalization_rule_tsv"] = tmp + "/rules.tsv"
        subprocess.run(["spm_train"] + [f"--{k}={v}" for k, v in args.items()], check=True, stderr=subprocess.DEVNULL)
        b = open(tmp + "/m.model", "rb").read()
    open(os.path.join(out, name + ".model"), "wb").write(b)


def varint(n):
    b = b""
    while n > 127:
        b, n = b + bytes([n & 127 | 128]), n >> 7
    return b + bytes([n])


def unused(name, to, every):
    """The same model, of which some pieces are not in use."""
    b, at, fresh, n = open(os.path.join(out, name + ".model"), "rb").read(), 0, b"", 0
    while at < len(b):
        start, size, shift = at, 0, 0
        tag = b[at]
        at += 1
        while True:
            c = b[at]
            size |= (c & 127) << shift
            at, shift = at + 1, shift + 7
            if c < 128:
                break
        body = b[at:at + size]
        at += size
        if tag == 0x0A:
            n += 1
            text = body[2:2 + body[1]].decode()
            if len(text) > 2 and n % every == 0 and not text.startswith("<"):
                body += b"\x18\x05"
        if tag == 0x12:  # trainer_spec: without it the size of the vocabulary is not checked
            pass
        fresh += bytes([tag]) + varint(len(body)) + body
    open(os.path.join(out, to + ".model"), "wb").write(fresh)


symbols = "<|u|>,<|uu|>,\u2581\u2581,\u2581\u2581\u2581,<start>"
gemma = dict(model_type="bpe", byte_fallback="true", add_dummy_prefix="false", remove_extra_whitespaces="false", pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>", vocab_size=700, user_defined_symbols=symbols, allow_whitespace_only_pieces="true", split_digits="true")
train("gemma", **gemma)
train("llama", model_type="bpe", byte_fallback="true", vocab_size=650)
train("nllb", rules=RULES, model_type="bpe")
train("xlmr", rules=RULES, model_type="unigram")
train("siglip", rules=small, model_type="unigram", pad_id=-1, eos_id=1, unk_id=0, bos_id=-1)
train("t5", rules=RULES, model_type="unigram", byte_fallback="true", vocab_size=650, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, user_defined_symbols="<|u|>,<|uu|>,wolf")
train("suffix", model_type="unigram", treat_whitespace_as_suffix="true")
train("kept", rules=RULES, model_type="unigram", remove_extra_whitespaces="false", add_dummy_prefix="false")
unused("gemma", "gemma-unused", 3)
unused("xlmr", "xlmr-unused", 3)
golden = {}
for name in ("gemma", "llama", "nllb", "xlmr", "siglip", "t5", "suffix", "kept", "gemma-unused", "xlmr-unused"):
    p = sentencepiece.SentencePieceProcessor(model_file=os.path.join(out, name + ".model"))
    golden[name] = [p.encode(t) for t in TEXTS]
json.dump({"texts": TEXTS, "ids": golden}, open(os.path.join(out, "goldens.json"), "w"), ensure_ascii=True)

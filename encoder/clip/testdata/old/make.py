"""Makes the PBM, PGM, PPM and BMP files of this directory anew, and goldens.json with the SHA-256
of the RGB pixels that Pillow (9.4) finds in them: python3 make.py

Kinds that Pillow does not write are put together here: levels of other depths, text, run
lengths of 4 bits with jumps, OS/2's palettes, masks of odd widths.
"""
import hashlib, json, os, random, struct
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
random.seed(1)
W, H = 23, 11
rgb = [[tuple(min(255, (x * 11 + y * 7 * c + random.randrange(20)) % 256) for c in (1, 2, 3)) for x in range(W)] for y in range(H)]
gray = [[sum(p) // 3 for p in row] for row in rgb]


def put(name, *parts):
    open(name, "wb").write(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))


put("p1.pbm", f"P1\n# a comment\n{W} {H}\n", "\n".join(" ".join(str(g & 1) for g in row) for row in gray), "\n")
put("p1-dense.pbm", f"P1 {W} {H} ", "\n".join("".join(str(g & 1) for g in row) for row in gray), "\n")
put("p4.pbm", f"P4\n{W} {H}\n", *[bytes(sum((row[i + k] & 1) << (7 - k) for k in range(8) if i + k < W) for i in range(0, W, 8)) for row in gray])
put("p2.pgm", f"P2\n{W} {H}\n# more\n255\n", "\n".join(" ".join(map(str, row)) for row in gray))
put("p2-100.pgm", f"P2\n{W}\n{H}\n100\n", "\n".join(" ".join(str(g * 100 // 255) for g in row) for row in gray))
put("p5.pgm", f"P5\n{W} {H}\n255\n", *[bytes(row) for row in gray])
put("p5-31.pgm", f"P5 {W} {H} 31\n", *[bytes(g >> 3 for g in row) for row in gray])
put("p3.ppm", f"P3\n{W} {H}\n255\n", "\n".join(" ".join(" ".join(map(str, p)) for p in row) for row in rgb))
put("p6.ppm", f"P6\n#c\n{W} {H}\n255\n", *[bytes(c for p in row for c in p) for row in rgb])
put("p6-7.ppm", f"P6\n{W} {H}\n7\n", *[bytes(c >> 5 for p in row for c in p) for row in rgb])
put("p6-1000.ppm", f"P6\n{W} {H}\n1000\n", *[struct.pack(">H", c * 1000 // 255) for row in rgb for p in row for c in p])


def bmp(name, depth, compression, pixels, palette=b"", masks=b"", height=H, colours=0):
    at = 54 + len(masks) + len(palette)
    put(name, b"BM", struct.pack("<IHHI", at + len(pixels), 0, 0, at), struct.pack("<IiiHHIIiiII", 40, W, height, 1, depth, compression, len(pixels), 0, 0, colours, 0), masks, palette, pixels)


table = b"".join(bytes(((i * 37) % 256, (i * 91) % 256, (i * 13) % 256, 0)) for i in range(16))
rows = [[g >> 4 for g in row] for row in gray]
out = b""
for y, row in enumerate(reversed(rows)):
    if y == 3:  # as it stands, filled up to an even number of bytes (of an odd number of pixels Pillow loses one)
        packed = bytes(row[i] << 4 | row[i + 1] for i in range(0, W - 1, 2))
        out += bytes((0, W - 1)) + packed + bytes(len(packed) % 2) + bytes((1, row[-1] << 4))
    else:
        i = 0
        while i < W:
            n = 1
            while i + n < W and row[i + n] == row[i]:
                n += 1
            out += bytes((n, row[i] << 4 | row[i]))
            i += n
    out += b"\0\0"
bmp("rle4.bmp", 4, 2, out + b"\0\1", table, colours=16)
wide = b"".join(bytes((i, 255 - i, i * 3 % 256, 0)) for i in range(256))
bmp("rle8.bmp", 8, 1, b"".join(bytes((0, W)) + bytes(row) + b"\0" + b"\0\0" for row in reversed(gray)) + b"\0\1", wide)
bmp("555-down.bmp", 16, 0, b"".join(b"".join(struct.pack("<H", (p[0] >> 3) << 10 | (p[1] >> 3) << 5 | p[2] >> 3) for p in row) + bytes(-2 * W % 4) for row in rgb), height=-H)
bmp("565.bmp", 16, 3, b"".join(b"".join(struct.pack("<H", (p[0] >> 3) << 11 | (p[1] >> 2) << 5 | p[2] >> 3) for p in row) + bytes(-2 * W % 4) for row in reversed(rgb)), masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))
put("os2-4.bmp", b"BM", struct.pack("<IHHI", 26 + 48 + H * 12, 0, 0, 26 + 48), struct.pack("<IHHHH", 12, W, H, 1, 4),
    b"".join(table[4 * i:4 * i + 3] for i in range(16)), b"".join(bytes(row[i] << 4 | (row[i + 1] if i + 1 < W else 0) for i in range(0, W, 2)) for row in reversed(rows)))

golden = {}
for name in sorted(os.listdir(".")):
    if name.split(".")[-1] in ("pbm", "pgm", "ppm", "bmp"):
        m = Image.open(name).convert("RGB")
        golden[name] = {"mode": m.mode, "width": m.width, "height": m.height, "sha256": hashlib.sha256(m.tobytes()).hexdigest()}
json.dump(golden, open("goldens.json", "w"), indent=1)

"""Makes baseline-422.jpg, cmyk.jpg and progressive-bands.jpg of baseline-444.jpg, with Pillow and
libjpeg's cjpeg (Debian: python3-pil, libjpeg-turbo-progs). The last has scans whose bands later
scans cover together, which no encoder does by itself.
"""
import os
import subprocess
import tempfile
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
scans = """0,1,2: 0-0, 0, 1;
0: 1-9, 0, 2;
0: 10-63, 0, 1;
1: 1-63, 0, 1;
2: 1-20, 0, 0;
2: 21-63, 0, 0;
0: 1-9, 2, 1;
0: 1-63, 1, 0;
1: 1-63, 1, 0;
0,1,2: 0-0, 1, 0;
"""
im = Image.open("baseline-444.jpg").convert("RGB")
im.resize((400, 300)).save("baseline-422.jpg", quality=92, subsampling=1)
small = im.resize((400, 300), Image.LANCZOS)
small.convert("CMYK").save("cmyk.jpg", quality=90)
with tempfile.TemporaryDirectory() as d:
    small.save(d + "/f.ppm")
    with open(d + "/scans", "w") as f:
        f.write(scans)
    subprocess.run(["cjpeg", "-quality", "90", "-sample", "1x1", "-scans", d + "/scans", "-outfile", "progressive-bands.jpg", d + "/f.ppm"], check=True)

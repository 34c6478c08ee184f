#!/usr/bin/env python3
"""Makes the pictures in this directory, and goldens.json with the pixels that Pillow finds in them.

Needs Pillow 9.4 with libtiff, ImageMagick 6.9 (convert), libjpeg-turbo's cjpeg and libtiff's tiffcp, as in
Debian 12: python3-pil python3-numpy imagemagick libjpeg-turbo-progs libtiff-tools. Run it in an empty copy of
this directory. What is in goldens.json: width, height, and the SHA-256 of the RGB bytes of the first frame,
upright, alpha dropped.
"""
import glob, hashlib, json, os, subprocess, sys
import numpy as np
from PIL import Image, ImageOps

rng = np.random.default_rng(5)

def scene(w, h):
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([128 + 100 * np.sin(x / 7 + y / 13), 128 + 100 * np.cos(x / 11 - y / 5), 128 + 120 * np.sin(x * y / 300)], -1)
    a += rng.normal(0, 6, (h, w, 3))
    a[h // 3:h // 2, w // 4:w // 2] = [255, 0, 0]
    return Image.fromarray(a.clip(0, 255).astype('u1'))

def alpha(im):
    im = im.convert('RGBA')
    a = np.array(im)
    a[..., 3] = (np.indices(a.shape[:2]).sum(0) * 9) % 256
    return Image.fromarray(a)

def run(*args):
    subprocess.run(args, check=True, stderr=subprocess.DEVNULL)

big, small = scene(45, 37), scene(23, 19)
gray, pal, bw = small.convert('L'), small.quantize(17), small.convert('1')
rgba, la = alpha(small), alpha(small).convert('LA')
wide16 = Image.fromarray((np.arange(19 * 23, dtype='u2') * 149).reshape(19, 23))

# JPEG
for w, h in [(1, 1), (2, 3), (5, 5), (7, 9), (16, 16), (17, 33), (45, 37)]:
    im = scene(w, h)
    for s in (0, 1, 2):
        im.save(f'{w}x{h}-{s}.jpg', quality=80, subsampling=s)
        im.save(f'{w}x{h}-{s}-progressive.jpg', quality=70, subsampling=s, progressive=True)
    im.convert('L').save(f'{w}x{h}-gray.jpg', quality=85)
    im.convert('CMYK').save(f'{w}x{h}-cmyk.jpg', quality=85)
big.save('big.ppm'); big.save('big.png'); small.save('small.ppm')
with open('scans.txt', 'w') as f:
    f.write('0;\n1;\n2;\n')
for name, args in {'restart-1': ['-restart', '1B'], 'restart-row': ['-restart', '1'], 'progressive-restart': ['-progressive', '-restart', '2B'],
                   'scans': ['-scans', 'scans.txt'], 'scans-restart': ['-scans', 'scans.txt', '-restart', '3B'], 'rgb': ['-rgb'],
                   '440': ['-sample', '1x2'], '411': ['-sample', '4x1'], '410': ['-sample', '4x2'], '3x1': ['-sample', '3x1'],
                   'odd-factors': ['-sample', '1x1,2x2,1x2'], 'q1': ['-quality', '1', '-baseline'], 'q100': ['-quality', '100', '-sample', '1x1'],
                   '16-bit-tables': ['-quality', '1'], 'gray-restart': ['-grayscale', '-restart', '2B']}.items():
    run('cjpeg', *args, '-outfile', f'c-{name}.jpg', 'big.ppm')
for name, args in {'cmyk-progressive': ['-colorspace', 'CMYK', '-interlace', 'JPEG'], 'cmyk-420': ['-colorspace', 'CMYK', '-sampling-factor', '2x2'],
                   'progressive-440': ['-sampling-factor', '1x2', '-interlace', 'JPEG']}.items():
    run('convert', 'big.png', *args, f'm-{name}.jpg')
exif = Image.Exif()
for o in range(1, 9):
    exif[0x0112] = o
    big.save(f'exif-{o}.jpg', exif=exif, quality=80)

# PNG
for name, im in {'rgb': small, 'gray': gray, 'palette': pal, 'bilevel': bw, 'rgba': rgba, 'la': la}.items():
    im.save(f'{name}.png')
pal.save('palette-transparent.png', transparency=3)
small.save('rgb-transparent.png', transparency=(255, 0, 0))
for bits, colours in ((1, 2), (2, 4), (4, 16)):
    small.quantize(colours).save(f'palette-{bits}.png', bits=bits)
    run('convert', 'small.ppm', '-colorspace', 'Gray', '-depth', str(bits), '-define', f'png:bit-depth={bits}', '-define', 'png:color-type=0', f'gray-{bits}.png')
for t, name in ((2, 'rgb'), (6, 'rgba')):
    run('convert', 'small.ppm', '-alpha', 'set', '-channel', 'A', '-evaluate', 'set', '40%', '+channel', '-define', 'png:bit-depth=16', '-define', f'png:color-type={t}', f'{name}-16.png')
for f in ('rgb', 'gray', 'palette', 'bilevel', 'rgba', 'la'):
    run('convert', f'{f}.png', '-interlace', 'PNG', f'{f}-interlaced.png')

# GIF, BMP, WebP
pal.save('palette.gif'); gray.save('gray.gif'); bw.save('bilevel.gif'); pal.save('interlaced.gif', interlace=1)
pal.save('transparent.gif', transparency=2)
small.save('frames.gif', save_all=True, append_images=[big.resize(small.size)])
for name, im in {'rgb': small, 'gray': gray, 'palette': pal, 'bilevel': bw, 'rgba': rgba}.items():
    im.save(f'{name}.bmp')
small.quantize(16).save('palette-16.bmp')
for kind in ('bmp2', 'bmp3'):
    run('convert', 'small.ppm', f'{kind}:{kind}.bmp')
run('convert', 'palette.png', '-compress', 'RLE', 'bmp3:rle8.bmp')
run('convert', 'small.ppm', '-define', 'bmp:subtype=RGB565', 'rgb565.bmp')
run('convert', 'small.ppm', '-define', 'bmp:subtype=RGB555', 'rgb555.bmp')
small.save('lossless.webp', lossless=True); rgba.save('lossless-alpha.webp', lossless=True, exact=True)
small.save('lossy.webp', quality=70); rgba.save('lossy-alpha.webp', quality=70); scene(17, 33).save('lossy-odd.webp', quality=30)
pal.convert('RGB').save('lossless-palette.webp', lossless=True)
small.save('frames.webp', save_all=True, append_images=[big.resize(small.size)], duration=100)

# TIFF: modes x compressions, then what only other programs write
for mode, im in {'rgb': small, 'gray': gray, 'palette': pal, 'bilevel': bw, 'rgba': rgba, 'la': la, 'cmyk': small.convert('CMYK')}.items():
    for c in (None, 'packbits', 'tiff_lzw', 'tiff_adobe_deflate', 'tiff_deflate'):
        im.save(f'{mode}-{c or "raw"}.tif', compression=c)
for c in ('group3', 'group4', 'tiff_ccitt'):
    bw.save(f'bilevel-{c}.tif', compression=c)
    ImageOps.invert(gray).convert('1').save(f'bilevel-inverted-{c}.tif', compression=c)
for n, im in [('rgb', small), ('gray', gray), ('bilevel', bw)]: # what only newer programs write
    im.save(f'{n}-zstd.tif', compression='zstd')
small.save('rgb-zstd-predictor.tif', compression='zstd', tiffinfo={317: 2})
small.save('ycbcr-jpeg.tif', compression='jpeg', quality=90); gray.save('gray-jpeg.tif', compression='jpeg', quality=90)
small.convert('LAB').save('lab.tif')
wide16.save('gray16.tif')
run('convert', 'rgba.png', '-depth', '16', 'rgba16.tif'); run('convert', 'small.ppm', '-depth', '16', 'rgb16.tif')
for photometric in ('minwhite', 'minblack'):
    value = {'minwhite': 'min-is-white', 'minblack': 'min-is-black'}[photometric]
    for src in ('bilevel', 'gray'):
        for c in ('None', 'Group4', 'Fax', 'LZW') if src == 'bilevel' else ('None', 'LZW'):
            run('convert', f'{src}.png', '-compress', c, '-define', f'quantum:polarity={value}', f'{src}-{photometric}-{c.lower()}.tif')
for name, args in {'planar': ['-p', 'separate'], 'planar-lzw': ['-p', 'separate', '-c', 'lzw'], 'tiles': ['-t', '-w', '16', '-l', '16'], 'tiles-lzw': ['-t', '-w', '16', '-l', '16', '-c', 'lzw:2'],
                   'planar-tiles': ['-p', 'separate', '-t', '-w', '16', '-l', '16'], 'big-endian': ['-B'], 'predictor': ['-c', 'zip:2'], 'strips': ['-r', '4', '-c', 'zip'], 'fill-order': ['-f', 'lsb2msb', '-c', 'lzw'], 'bigtiff': ['-8']}.items():
    for src in ('rgb-raw', 'rgba-raw', 'gray-raw', 'palette-raw', 'cmyk-raw') if name != 'fill-order' else ('rgb-raw',):
        try:
            run('tiffcp', *args, f'{src}.tif', f't-{src[:-4]}-{name}.tif')
        except subprocess.CalledProcessError:  # 16-bit planes, for example
            if os.path.exists(f't-{src[:-4]}-{name}.tif'):
                os.remove(f't-{src[:-4]}-{name}.tif')
for name, src in {'16-predictor': 'rgb16', '16-gray-predictor': 'gray16'}.items():
    run('tiffcp', '-c', 'zip:2', f'{src}.tif', f't-{name}.tif')
run('tiffcp', '-B', 'rgb16.tif', 't-16-big-endian.tif')
for c in ('g4', 'g3:2d', 'g3:1d', 'g3:fill'):
    for f in ('lsb2msb', 'msb2lsb'):
        run('tiffcp', '-f', f, '-c', c, 'bilevel-raw.tif', f't-bilevel-{c.replace(":", "-")}-{f}.tif')
for bits in (2, 4):
    run('convert', 'small.ppm', '-colorspace', 'Gray', '-depth', str(bits), f'gray-{bits}.tif'); run('convert', f'palette-{bits}.png', f'palette-{bits}.tif')
exif[0x0112] = 6
small.save('orientation-6.tif', exif=exif)
small.save('pages.tif', save_all=True, append_images=[big])
for f in ('big.ppm', 'big.png', 'small.ppm', 'scans.txt'):
    os.remove(f)

goldens = {}
for f in sorted(glob.glob('*.*')):
    if f.endswith(('.py', '.json')):
        continue
    try:
        im = Image.open(f); im.load()
        if not f.endswith('.tif'):  # Pillow 9.4 has turned these when they are loaded
            im = ImageOps.exif_transpose(im)
        mode = im.mode
        if mode.startswith('I;16') or mode == 'I':
            im = Image.fromarray((np.array(im).astype('u4') >> 8).astype('u1'))  # Pillow would clip to 255
        im = im.convert('RGB')
        goldens[f] = {'mode': mode, 'width': im.width, 'height': im.height, 'sha256': hashlib.sha256(im.tobytes()).hexdigest()}
    except Exception as e:
        goldens[f] = {'error': str(e)}
with open('goldens.json', 'w') as f:
    f.write('{\n' + ',\n'.join(f'{json.dumps(k)}: {json.dumps(v)}' for k, v in goldens.items()) + '\n}\n')

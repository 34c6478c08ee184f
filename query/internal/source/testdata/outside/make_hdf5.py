"""Makes the HDF5 files of this directory and what they hold (hdf5.json), with h5py.

    python3 make_hdf5.py      (Debian: python3-h5py 3.7)
"""
import json
import os
import h5py
import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(4)
out = {}


def keep(f, file, name, a, **how):
    d = f.create_dataset(name, data=a, **how)
    note(file, d)
    return d


def note(file, d):
    a = d[()]
    if a.dtype.kind == "S":
        a = a.astype("U")
    if a.dtype.kind == "b" and a.ndim == 2:
        a = a.astype("u1")
    out.setdefault(file, {})[d.name.strip("/")] = a.tolist()


def refuse(f, file, name, why, a, **how):
    f.create_dataset(name, data=a, **how)
    out.setdefault(file, {})[name] = why


with h5py.File("ann.hdf5", "w") as f:  # as ann-benchmarks writes them
    f.attrs["type"], f.attrs["distance"], f.attrs["dimension"], f.attrs["point_type"] = "dense", "euclidean", 6, "float"
    for name, rows, dims, t in [("train", 40, 6, "f4"), ("test", 5, 6, "f4"), ("neighbors", 5, 10, "i4"), ("distances", 5, 10, "f4")]:
        keep(f, "ann.hdf5", name, (np.round(rng.normal(size=(rows, dims)) * 80) / 8 + 0.0).astype(t))

m = (np.round(rng.normal(size=(23, 7)) * 64) / 8 + 0.0).astype("f4")
with h5py.File("kinds.h5", "w") as f:
    file = "kinds.h5"
    for t in ["<f2", ">f4", "<f8", ">f8", "|i1", "|u1", "<i2", ">i8", "<u4"]:
        keep(f, file, "pair" + t[1:] + ("be" if t[0] == ">" else ""), np.abs(m).round().astype(t))
        keep(f, file, "one" + t[1:] + ("be" if t[0] == ">" else ""), np.abs(m[:, 0]).round().astype(t))
    keep(f, file, "bool", m[:, 0] > 0)
    keep(f, file, "bits", m > 0)
    keep(f, file, "text", np.array([b"one", b"", b"three"], dtype="S5"))
    keep(f, file, "a/b/deep", m[:2])
    f["a/again"] = f["a/b/deep"]
    f["a/soft"] = h5py.SoftLink("/bool")
    f["a/elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    f["a/loop"] = f["a"]
    for name, how in {"plain": {}, "gzip": {"compression": 9}, "shuffled": {"compression": 4, "shuffle": True}, "lzf": {"compression": "lzf"},
                      "lzf_shuffled": {"compression": "lzf", "shuffle": True}, "checked": {"fletcher32": True},
                      "all": {"compression": 1, "shuffle": True, "fletcher32": True}}.items():
        for chunks in [(5, 3), (23, 7), (1, 7), (30, 9)]:
            data = {"chunks": tuple(min(c, s) for c, s in zip(chunks, m.shape)), **how}
            keep(f, file, "c_%s_%d" % (name, chunks[0]), m.repeat(2, 0)[:23], **data)
        keep(f, file, "d_" + name, np.arange(31, dtype="i8") // 3, chunks=(7,), **how)
    d = f.create_dataset("holes", (20, 3), "f4", chunks=(4, 2), fillvalue=2.5)
    d[9:11, 1] = 1
    note(file, d)
    d = f.create_dataset("resized", (20, 3), "i4", chunks=(4, 2), maxshape=(None, None))
    d[:] = 7
    d.resize((10, 2))
    d.resize((11, 3))
    note(file, d)
    note(file, f.create_dataset("untouched", (3, 2), "f8", fillvalue=-1))
    note(file, f.create_dataset("unwritten", (3,), "i2", chunks=(2,)))
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    p.set_layout(h5py.h5d.COMPACT)
    s = h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4, 2)), p)
    s.write(h5py.h5s.ALL, h5py.h5s.ALL, m[:4, :2].copy())
    note(file, f["compact"])
    refuse(f, file, "records", "records of several fields", np.zeros(2, dtype=[("a", "i4"), ("b", "f4")]))
    refuse(f, file, "varying", "lists or texts of varying length", ["a", "bc"], dtype=h5py.string_dtype())
    refuse(f, file, "scalar", "an array of 0 dimensions", 5)
    refuse(f, file, "cube", "an array of 3 dimensions", np.zeros((2, 2, 2)))
    refuse(f, file, "complex", "records of several fields", np.zeros(2, "c8"))
    refuse(f, file, "scaled", "compressed by scaleoffset", np.arange(9), chunks=(3,), scaleoffset=True)
    refuse(f, file, "colours", "stand for names", np.array([1, 2], "i1"), dtype=h5py.enum_dtype({"RED": 1, "BLUE": 2}, "i1"))
    f["common"] = np.dtype("f4")
    f.create_dataset("committed", data=m[:2], dtype=f["common"])
    out[file]["committed"] = "stored apart"

# Trees of several levels, a block of the user's before the file.
with h5py.File("levels.h5", "w", userblock_size=1024) as f:
    for i in range(400):
        f["s%03d" % i] = h5py.SoftLink("/t100")
    for i in range(0, 400, 100):
        keep(f, "levels.h5", "t%03d" % i, np.arange(i, i + 3, dtype="f4"))
    keep(f, "levels.h5", "long", np.arange(300, dtype="i2").reshape(100, 3), chunks=(2, 2), compression=1)

for libver in ["latest", "v108"]:
    file = libver + ".h5"
    with h5py.File(file, "w", libver=libver) as f:
        f.attrs["x"] = 1
        keep(f, file, "whole", m)
        keep(f, file, "g/below", m[:, 0])
        g = f.create_group("tracked", track_order=True)
        keep(g, file, "z", m[:1])
        keep(g, file, "y", m[:2])
        if libver == "v108":
            keep(f, file, "chunks", m, chunks=(5, 3), compression=4)
            g = f.create_group("dense")
            for i in range(20):
                g["x%d" % i] = m[:1]
        else:
            refuse(f, file, "chunks", "without libver='latest'", m, chunks=(5, 3))
out["v108.h5"]["dense/x1"] = "lists its members as newer versions"
with open("hdf5.json", "w") as f:
    json.dump(out, f, separators=(",", ":"))

"""Makes the arrays of this directory and what they hold (arrays.json), with numpy.

    python3 make.py      (Debian: python3-numpy)

bfloat16 is written as ml_dtypes does it, which numpy's own header calls V2.
"""
import json
import numpy as np

out = {}


def keep(name, a, want, **how):
    np.save(name, a, **how)
    out[name] = want


def times(a):
    return [None if np.isnat(x) else str(x.astype("datetime64[us]")).replace("T", " ") for x in a]


for unit in ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"]:
    a = np.array(["1969-12-31T23:59:59.999999999", "2024-02-29T12:34:56.123456789", "NaT", "1970-01-01", "1900-03-01T00:00:00.000000001"], dtype="datetime64[ns]").astype(f"datetime64[{unit}]")
    keep(f"time_{unit}.npy", a, times(a))
for unit in ["ps", "fs", "as"]:
    a = np.array([-1, 0, 1, 999999, 1000001, -1000001], dtype="int64").view(f"datetime64[{unit}]")
    keep(f"time_{unit}.npy", a, times(a))
a = np.array([5, -7], dtype="int64").view("datetime64[15m]")
keep("time_15m.npy", a, times(a))
m = np.arange(12, dtype="<f4").reshape(4, 3) / 4 - 1
keep("fortran.npy", np.asfortranarray(m), m.tolist())
keep("fortran_f2.npy", np.asfortranarray(m.astype("<f2")), m.tolist())
keep("big_f4.npy", m.astype(">f4"), m.tolist())
keep("big_f8.npy", m.astype(">f8"), m.tolist())
keep("big_i2.npy", np.array([-300, 7], dtype=">i2"), [-300, 7])
b = np.array([1.5, -2.0, 0.0078125, 3e38], dtype="<f4")
keep("bfloat16.npy", (b.view("<u4") >> 16).astype("<u2").view("V2"), [float(x) for x in ((b.view("<u4") >> 16) << 16).astype("<u4").view("<f4")])
keep("text_u.npy", np.array(["K\u00e4fer", "", "\U0001f43a"]), ["K\u00e4fer", "", "\U0001f43a"])
np.savez("two.npz", features=m, ids=np.array([3, 1, 2, 0]))
np.savez_compressed("one.npz", m)
np.savez_compressed("packed.npz", fortran=np.asfortranarray(m), days=np.array(["1969-12-31"], dtype="datetime64[D]"))
with open("arrays.json", "w") as f:
    json.dump(out, f, indent=0)

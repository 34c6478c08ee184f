# Searches a raw float32 matrix as numpy and Faiss do: one query number a line on
# standard input, milliseconds and the best row on standard output.
import sys, time
import numpy as np

kind, rows, dim, matrix, queries, k = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5], int(sys.argv[6])
q = np.fromfile(queries, dtype=np.float32).reshape(-1, dim)
x = np.memmap(matrix, dtype=np.float32, mode="r", shape=(rows, dim))
if kind == "faiss":
    import faiss
    faiss.omp_set_num_threads(2)
    index = faiss.IndexFlatIP(dim)
    for s in range(0, rows, 65536):
        index.add(np.ascontiguousarray(x[s:s + 65536]))
else:
    x = np.array(x)  # in memory, as a program that loaded its features has it
print("ready", flush=True)
for line in sys.stdin:
    i = int(line)
    t = time.perf_counter()
    if kind == "faiss":
        best = index.search(q[i:i + 1], k)[1][0][0]
    else:
        s = x @ q[i]
        top = np.argpartition(-s, k)[:k]
        best = top[np.argsort(-s[top])][0]
    print((time.perf_counter() - t) * 1e3, best, flush=True)

# Recall and time of Faiss's inverted lists and HNSW, one query at a time, beside its own exact
# answers. Prints: index, parameter, recall, median milliseconds, mean milliseconds of processor
# time, seconds of building.
import sys, time
import numpy as np, faiss

rows, dim, matrix, queries, k, kinds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), sys.argv[6].split(",")
faiss.omp_set_num_threads(2)
q = np.fromfile(queries, dtype=np.float32).reshape(-1, dim)
q = q / np.linalg.norm(q, axis=1, keepdims=True)
x = np.fromfile(matrix, dtype=np.float32).reshape(rows, dim)
x /= np.linalg.norm(x, axis=1, keepdims=True)
flat = faiss.IndexFlatIP(dim)
flat.add(x)
exact = flat.search(q, k)[1]
del flat

def ask(name, value, built, search):
    ms, found, used = [], 0, 0
    for i in range(len(q)):
        t, before = time.perf_counter(), time.process_time()
        got = search(q[i:i + 1])[1][0]
        ms.append((time.perf_counter() - t) * 1e3)
        used += time.process_time() - before
        found += len(set(got) & set(exact[i]))
    print("Faiss %s | %s | %.4f | %.2f ms | %.2f ms CPU | built in %.0f s" % (name, value, found / k / len(q), np.median(ms), used / len(q) * 1e3, built), flush=True)

if "ivf" in kinds:
    lists = int(4 * rows ** 0.5)
    start = time.time()
    ivf = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
    ivf.train(x[np.random.default_rng(1).choice(rows, min(rows, 40 * lists), replace=False)])
    ivf.add(x)
    built = time.time() - start
    for probe in (16, 64, 128, 256, 512, 1024):
        ivf.nprobe = probe
        ask("IVF %d" % lists, "nprobe %d" % probe, built, lambda one: ivf.search(one, k))
    del ivf
if "hnsw" in kinds:
    start = time.time()
    graph = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 100
    graph.add(x)
    built = time.time() - start
    for ef in (32, 128, 512, 2048):
        graph.hnsw.efSearch = ef
        ask("HNSW 32", "efSearch %d" % ef, built, lambda one: graph.search(one, k))

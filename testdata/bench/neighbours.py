# The nearest rows of each row by Faiss's flat index, in batches, and the sums of their
# similarities; of some of the batches, one line for each as it is asked for on standard input.
import sys, time
import numpy as np
import faiss

n, dim, k, batch = map(int, sys.argv[2:6])
faiss.omp_set_num_threads(int(sys.argv[6]))
x = np.fromfile(sys.argv[1], dtype=np.float32).reshape(n, dim)
index = faiss.IndexFlatIP(dim)
index.add(x)
for line in sys.stdin:
    at = int(line) * batch
    begin, used = time.perf_counter(), time.process_time()
    d, i = index.search(x[at:at + batch], k)
    took, cpu = time.perf_counter() - begin, time.process_time() - used
    print(len(d), took, cpu, float(d.astype(np.float64).sum()), int((i[:, 0] == np.arange(at, at + len(d))).sum()), flush=True)

-- Vectors from one file, ids from the other, side by side.
COPY photos (clip, id) FROM 'testdata/toy-clip/corpus/features.npy', 'testdata/toy-clip/corpus/photo_ids.csv';

// Package ivf divides points into clusters by k-means, and decides how many clusters a search
// has to visit to find a part of the nearest rows. It knows nothing of storage.
//
// Points are the first coordinates of rows in the transformed space of their codes (package
// code), in which queries weigh all coordinates alike on average: two rows that are near each
// other there score alike for the queries that come, which need not lie where rows do.
package ivf

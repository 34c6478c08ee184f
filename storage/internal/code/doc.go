// Package code compresses the vectors of a column to two planes of two-bit
// codes and proves, from the codes alone, an upper bound on the inner product
// of a query with each row. A row whose bound is below the score of the k-th best
// row found so far can't belong to the answer, so that an exact search reads the
// floats of very few rows.
//
// # Transform
//
// Let x be a row divided by its norm, mu the mean of such rows and v = x - mu. The
// transform A is a float32 matrix, so that with y = A v and any vectors q and p
//
//	<q, x> = <q, mu> + <q, v> = <q, mu> + <p, y> + <rho, v>,  rho = q - A'p.
//
// This holds for every A and p. They are chosen to make the codes small, not to
// make the identity true: A = V'L', where LL' = M is the second moment of typical
// queries (sphering: LeanVec, arXiv 2410.22347) and V the eigenvectors of
// L' Cov(x) L, and p solves A'p = q, so that rho is a rounding error.
// Queries that are unlike the samples are answered as exactly, only slower.
//
// Above FullDim dimensions A has orthonormal rows that span the directions that
// matter most to rows and queries, and rho is the part of q outside of them.
//
// # Codes
//
// Some rows are far from the mean and some near, with their codes' errors in
// proportion. So y is first divided by the row's stretch, s, a number of 8 bits that
// makes the norms of all rows (but for the first dimensions) about the same: z = y/s.
//
// A slot quantizes what earlier slots have left of one dimension of z to two bits,
// low + step*c. A plane has four slots a byte. Dimensions get slots greedily by what
// these take off the expected error (bit allocation as in SAQ, arXiv 2509.12086), and
// the n slots of a dimension in a plane make up a uniform quantizer of 4^n levels with
// the step that fits the sample best. What all slots leave is the residual, so that
// y = s*(sum of (low + step*c)) + r.
//
// Slots of one dimension lie together, as a nibble, which the scan of plane 1
// multiplies at once; see simd.Layout.
//
// # Bound
//
// With w = p*step for each slot,
//
//	<p, y> = s*(sum of p*low + sum of w*c) + <p, r>.
//
// The kernels compute the sum of g*c in integers, g = round(w / scale) having 15
// bits. As 0 <= c <= 3,
//
//	sum (w - scale*g)*c <= 1.5 sum (w - scale*g) + 1.5 sum |w - scale*g|,
//
// and by Cauchy and Schwarz, with the dimensions in groups,
//
//	<p, r> <= sum over groups of |p_g| |r_g|.
//
// The |r_g| are stored per row in a byte each, rounded up. In a block of
// rows, the largest |v| bounds what rho contributes. It is a proof and not a
// probability. All rounding goes the safe way: the norms include a bound on the
// rounding errors of single precision with which y was computed (Encoder), and
// the query's side is computed in float64, its error being far below the slack
// that is added for the float32 arithmetic of the kernels.
package code

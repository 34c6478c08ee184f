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
//
// # Notation
//
//	x      a row divided by its norm; dim dimensions
//	q      a query divided by its norm
//	mu     mean of the rows that the transform was trained on
//	v      x - mu, the centred row
//	A      the transform, Rank x dim;  y = A v, a row's coordinates
//	p      the query's weights, A'p = q;  rho = q - A'p, what they miss of it
//	s      a row's stretch (its scale), 8 bits;  z = y/s
//	c      a code of two bits, 0 to 3, of a slot;  low + step*c is its value
//	plane  one of the two code levels: every search reads plane 1, and plane 2 of
//	       the rows that plane 1 leaves
//	r      the residual, y less what the codes of a row say
//	g      a query's weight of a slot, w = p*step, as an integer of 15 bits
//	cut    the cut-off: the score of the k-th best row so far
//
// # Proof, in steps
//
//  1. <q, x> = <q, mu> + <q, v>, and <q, v> = <A'p, v> + <rho, v> = <p, y> + <rho, v>,
//     by the definitions of v, rho and y.
//  2. <rho, v> <= |rho| |v| <= |rho| maxV, the largest |v| of the block.
//  3. <p, y> = s*sum p*(low + step*c) + <p, r>, as r is what the codes leave of y.
//  4. <p, r> <= sum over groups of |p_g| |r_g|, and the |r_g| that are stored are rounded up.
//  5. The sum over codes is computed with g for w; 0 <= c <= 3 bounds the difference.
//  6. What rounding can add, to y, to the query's side and to the kernels' float32, is added.
//
// So the sum of the right sides is never below <q, x>. The same with the opposite signs
// bounds it from below (Bounds1, Lower2).
//
// # In four dimensions
//
// The example of this package computes a bound by hand, with A the identity and no rounding:
//
//	x   = ( 0.80  0.40  0.40  0.20)    a row, of norm 1
//	mu  = ( 0.50  0.30  0.30  0.30)
//	v=y = ( 0.30  0.10  0.10 -0.10)    s = 1
//	q   = ( 0.70  0.50  0.50 -0.10)    of norm 1; p = q, rho = 0
//
// Plane 1 has four slots: two for dimension 0, which varies most, so that it has a grid
// of 16 values (-0.45, -0.39, ..., 0.45), one each for dimensions 1 and 2 (-0.15, -0.05,
// 0.05, 0.15), none for dimension 3, whose value is its mean, 0.
//
//	y by plane 1 = (0.27 0.05 0.05  0.00)    the nearest values of the grids, the lower of two
//	r            = (0.03 0.05 0.05 -0.10)
//
//	<q, mu>           = 0.620
//	<p, y by plane 1> = 0.239
//	|p_g| |r_g|       = 0.050 + 0.057    groups (0, 1) and (2, 3)
//	upper bound       = 0.966
//	<q, x>            = 0.940
//
// If the k-th best row so far scores 0.97, this row is discarded without a look at its
// floats. Plane 2 has slots for what plane 1 leaves, here of dimensions 1, 2 and 3, and a
// smaller residual, with which the upper bound is 0.953.
package code

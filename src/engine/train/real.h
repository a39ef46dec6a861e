/* The number type of training. The room is compiled twice from the same source: as float, with
 * fast products, for use; as double (TRAIN_DOUBLE), with plain products, so that tests check
 * every backward operation by finite differences. */
#ifndef TRAIN_REAL_H
#define TRAIN_REAL_H

#ifdef TRAIN_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#endif

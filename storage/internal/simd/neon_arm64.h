// The instructions that Go's assembler for arm64 lacks, by their encodings: one a line, with
// what it is. Registers are given by number. TestInstructions decodes each with LLVM's disassembler,
// where that is installed, and compares with the comment, in which d, n, m and i stand
// for the arguments.

#define FADD2D(m, n, d) WORD $(0x4E60D400 | (m)<<16 | (n)<<5 | (d)) // fadd v{d}.2d, v{n}.2d, v{m}.2d
#define FSUB2D(m, n, d) WORD $(0x4EE0D400 | (m)<<16 | (n)<<5 | (d)) // fsub v{d}.2d, v{n}.2d, v{m}.2d
#define FMUL2D(m, n, d) WORD $(0x6E60DC00 | (m)<<16 | (n)<<5 | (d)) // fmul v{d}.2d, v{n}.2d, v{m}.2d
#define FABD2D(m, n, d) WORD $(0x6EE0D400 | (m)<<16 | (n)<<5 | (d)) // fabd v{d}.2d, v{n}.2d, v{m}.2d
#define FADDP2D(n, d) WORD $(0x7E70D800 | (n)<<5 | (d)) // faddp d{d}, v{n}.2d
#define FCVTL2D(n, d) WORD $(0x0E617800 | (n)<<5 | (d)) // fcvtl v{d}.2d, v{n}.2s
#define FCVTL22D(n, d) WORD $(0x4E617800 | (n)<<5 | (d)) // fcvtl2 v{d}.2d, v{n}.4s
#define FCVTL4S(n, d) WORD $(0x0E217800 | (n)<<5 | (d)) // fcvtl v{d}.4s, v{n}.4h
#define FCVTL24S(n, d) WORD $(0x4E217800 | (n)<<5 | (d)) // fcvtl2 v{d}.4s, v{n}.8h
#define FADD4S(m, n, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d)) // fadd v{d}.4s, v{n}.4s, v{m}.4s
#define FSUB4S(m, n, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d)) // fsub v{d}.4s, v{n}.4s, v{m}.4s
#define FMUL4S(m, n, d) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d)) // fmul v{d}.4s, v{n}.4s, v{m}.4s
#define FMUL4SI(i, m, n, d) WORD $(0x4F809000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)) // fmul v{d}.4s, v{n}.4s, v{m}.s[{i}]
#define FMAXNM4S(m, n, d) WORD $(0x4E20C400 | (m)<<16 | (n)<<5 | (d)) // fmaxnm v{d}.4s, v{n}.4s, v{m}.4s
#define FMINNM4S(m, n, d) WORD $(0x4EA0C400 | (m)<<16 | (n)<<5 | (d)) // fminnm v{d}.4s, v{n}.4s, v{m}.4s
#define FRINTN4S(n, d) WORD $(0x4E218800 | (n)<<5 | (d)) // frintn v{d}.4s, v{n}.4s
#define FCVTZS4S(n, d) WORD $(0x4EA1B800 | (n)<<5 | (d)) // fcvtzs v{d}.4s, v{n}.4s
#define SCVTF4S(n, d) WORD $(0x4E21D800 | (n)<<5 | (d)) // scvtf v{d}.4s, v{n}.4s
#define FCMGE4S(m, n, d) WORD $(0x6E20E400 | (m)<<16 | (n)<<5 | (d)) // fcmge v{d}.4s, v{n}.4s, v{m}.4s
#define USHL4S(m, n, d) WORD $(0x6EA04400 | (m)<<16 | (n)<<5 | (d)) // ushl v{d}.4s, v{n}.4s, v{m}.4s
#define SSHR4S(i, n, d) WORD $(0x4F000400 | (64-(i))<<16 | (n)<<5 | (d)) // sshr v{d}.4s, v{n}.4s, #{i}
#define SMULL8H(m, n, d) WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d)) // smull v{d}.8h, v{n}.8b, v{m}.8b
#define SMULL28H(m, n, d) WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d)) // smull2 v{d}.8h, v{n}.16b, v{m}.16b
#define SMLAL8H(m, n, d) WORD $(0x0E208000 | (m)<<16 | (n)<<5 | (d)) // smlal v{d}.8h, v{n}.8b, v{m}.8b
#define SMLAL28H(m, n, d) WORD $(0x4E208000 | (m)<<16 | (n)<<5 | (d)) // smlal2 v{d}.8h, v{n}.16b, v{m}.16b
#define SADALP4S(n, d) WORD $(0x4E606800 | (n)<<5 | (d)) // sadalp v{d}.4s, v{n}.8h

// With the dot product extension (FEAT_DotProd: Armv8.2, an option; all of Apple's, Neoverse).
#define SDOT(m, n, d) WORD $(0x4E809400 | (m)<<16 | (n)<<5 | (d)) // sdot v{d}.4s, v{n}.16b, v{m}.16b
#define SDOTI(i, m, n, d) WORD $(0x4F80E000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)) // sdot v{d}.4s, v{n}.16b, v{m}.4b[{i}]

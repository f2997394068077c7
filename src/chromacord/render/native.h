/* The compiled renderer's interface. Both the C compiler and cffi read this file, so nothing is declared twice.
 * cffi reads no directives: native.c includes <stddef.h> and <stdint.h> before it. */

typedef struct {
    uint8_t *data; /* first sample of the rectangle; aligned to the sample size */
    ptrdiff_t stride; /* bytes from row to row, a multiple of the sample size */
} Plane;

typedef struct {
    int32_t height, width; /* size of the rectangle in pixels; it begins at a whole chroma sample */
    int32_t down, right; /* log2 of the pixels per chroma sample, vertically and horizontally: 0 or 1 */
    int32_t sample_bytes; /* 1 or 2 */
    int32_t weight_bytes; /* size of the mask's codes: 1, 2, or 4 for floats */
    int32_t nodes; /* nodes per side of the LUT; 0 if the grade is a matrix */
    float max_code;
    float black, weight_per_code; /* mask code of weight 0, and weight per code above it */
    const float *decode, *encode; /* 3x4 matrices, row by row: three factors and an offset */
    const float *grade; /* a LUT with axes red, green, blue, channel, followed by one padding value; or a 3x4 matrix */
    Plane source[3], target[3], mask;
} Job;

void chromacord_grade(const Job *job);

typedef struct {
    int32_t height, width; /* size of the rectangle in samples of the plane */
    int32_t rows, columns; /* size of the mask in pixels */
    int32_t down, right; /* log2 of the pixels per sample, vertically and horizontally: 0 or 1 */
    int32_t sample_bytes; /* 1 or 2 */
    int32_t weight_bytes; /* size of the mask's codes: 1, 2, or 4 for floats */
    int32_t reach_down, reach_across; /* reach of the blur in samples */
    float max_code;
    float black, weight_per_code; /* mask code of weight 0, and weight per code above it */
    float scale, offset; /* map encoded light to codes */
    const float *kernel_down, *kernel_across; /* weights from the centre outwards: reach + 1 values */
    const float *light; /* light of each code; null to blur the codes themselves */
    float *scratch; /* 2 * (2 * reach_down + 1) * width + 2 * (width + 2 * reach_across) + 2 * columns values */
    Plane plane, mask;
} Softening;

void chromacord_soften(const Softening *job);

/* Returns the checksum of the sources from which this binary was compiled. */
uint32_t chromacord_source(void);

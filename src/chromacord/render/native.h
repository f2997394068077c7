/* The compiled renderer's interface. Both the C compiler and cffi read this file, so nothing is declared twice.
 * cffi reads no directives: native.c includes <stddef.h> and <stdint.h> before it. */

typedef struct {
    uint8_t *data; /* where the rectangle begins; aligned to its samples */
    ptrdiff_t stride; /* bytes from row to row, a multiple of a sample's */
} Plane;

typedef struct {
    int32_t height, width; /* of the rectangle, in pixels, which begins at a whole chroma sample */
    int32_t down, right; /* log2 of the pixels that share a chroma sample: 0 or 1 */
    int32_t sample_bytes; /* 1 or 2 */
    int32_t weight_bytes; /* of the mask's codes: 1, 2, or 4 for floats */
    int32_t nodes; /* a side of the LUT; 0 where the grade is a matrix */
    float max_code;
    float black, weight_per_code;
    const float *decode, *encode; /* matrices: rows of three factors and an offset */
    const float *grade; /* a LUT with axes red, green, blue, channel, and one number more; or such a matrix */
    Plane source[3], target[3], mask;
} Job;

void chromacord_grade(const Job *job);

typedef struct {
    int32_t height, width; /* of the rectangle, in samples of the plane */
    int32_t rows, columns; /* of the mask, in pixels */
    int32_t down, right; /* log2 of the pixels that share a sample: 0 or 1 */
    int32_t sample_bytes; /* 1 or 2 */
    int32_t weight_bytes; /* of the mask's codes: 1, 2, or 4 for floats */
    int32_t reach_down, reach_across; /* of the blur, in samples */
    float max_code;
    float black, weight_per_code;
    float scale, offset; /* of encoded light, in codes */
    const float *kernel_down, *kernel_across; /* from the middle outwards: a factor more than the reach */
    const float *light; /* of each code; null where codes are blurred as they are */
    float *scratch; /* 2 * (2 * reach_down + 1) * width + 2 * (width + 2 * reach_across) + 2 * columns numbers */
    Plane plane, mask;
} Softening;

void chromacord_soften(const Softening *job);

/* The checksum of all sources, by which a caller knows what was compiled. */
uint32_t chromacord_source(void);

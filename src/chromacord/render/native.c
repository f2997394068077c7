/* Grades a rectangle of a picture in its decoded planes: the work of cpu.py in one pass.
 *
 * Codes are converted to R'G'B', mapped by a 3D LUT or a matrix, converted back, and blended by the mask's weight; a
 * sample of subsampled chroma changes by the mean change of its pixels. Pixels are processed in runs that fit in the L1
 * cache. Loops are plain so that compilers vectorize them for every target. Multiplications and additions are not fused
 * (-ffp-contract=off), so that all machines give the same result.
 */

#include "samples.h"

#define RUN 128 /* pixels per run; even, so that a run begins at a whole chroma sample */

/* Selects elements of two vectors; indices of the second continue those of the first. */
#if defined(__clang__)
#define PICK(one, other, ...) __builtin_shufflevector(one, other, __VA_ARGS__)
#else
#define PICK(one, other, ...) __builtin_shuffle(one, other, (four_places){__VA_ARGS__})
#endif

typedef float four __attribute__((vector_size(16)));
typedef int32_t four_places __attribute__((vector_size(16)));
typedef float four_anywhere __attribute__((vector_size(16), aligned(4)));

typedef struct {
    _Alignas(64) float first[RUN]; /* luma, or red */
    float weight[RUN], red[RUN], green[RUN], blue[RUN];
    float chroma[2][RUN], change[2][RUN]; /* chroma (or green and blue) of this chroma row, and its summed changes */
    float shift[3][RUN]; /* the part of red, green and blue that comes from chroma, for each pixel */
    float share[4][RUN]; /* weights of the four nodes of a pixel's tetrahedron */
    int32_t node[3][RUN]; /* offsets of the first three nodes; the fourth is at a constant distance from the first */
} Run;

/* Returns whether any pixel of the run is foreground. */
INLINE int load_weights(const Job *job, Run *run, int row, int column, int count) {
    load(&job->mask, row, column, job->weight_bytes, count, run->weight);
    int any = 0;
    for (int i = 0; i < count; i++) {
        run->weight[i] = clamped((run->weight[i] - job->black) * job->weight_per_code, 0, 1);
        any |= run->weight[i] > 0;
    }
    return any;
}

INLINE void load_chroma(const Job *job, Run *run, int row, int column, int samples) {
    for (int k = 0; k < 2; k++) {
        load(&job->source[k + 1], row, column, job->sample_bytes, samples, run->chroma[k]);
        for (int j = 0; j < samples; j++) run->change[k][j] = 0;
    }
    for (int channel = 0; channel < 3; channel++) {
        const float *factor = job->decode + 4 * channel;
        float *shift = run->shift[channel];
        if (job->right)
            for (int j = 0; j < samples; j++)
                shift[2 * j] = shift[2 * j + 1] =
                    factor[1] * run->chroma[0][j] + factor[2] * run->chroma[1][j] + factor[3];
        else
            for (int j = 0; j < samples; j++)
                shift[j] = factor[1] * run->chroma[0][j] + factor[2] * run->chroma[1][j] + factor[3];
    }
}

/* Multiplies red, green and blue by a matrix with an offset column, in place; clamps the input to 0..1. */
INLINE void multiply(const float *matrix, Run *run, int count) {
    for (int i = 0; i < count; i++) {
        const float red = clamped(run->red[i], 0, 1), green = clamped(run->green[i], 0, 1),
                    blue = clamped(run->blue[i], 0, 1);
        run->red[i] = matrix[0] * red + matrix[1] * green + matrix[2] * blue + matrix[3];
        run->green[i] = matrix[4] * red + matrix[5] * green + matrix[6] * blue + matrix[7];
        run->blue[i] = matrix[8] * red + matrix[9] * green + matrix[10] * blue + matrix[11];
    }
}

/* Tetrahedral interpolation: walk from the cell's darkest node along the axis with the largest fraction, then along the
 * middle one's, then along the smallest one's (Kasson et al., "Performing color space conversions with
 * three-dimensional linear interpolation", 1995). Of two equal fractions either axis may come first: the node between
 * has weight 0. */
INLINE void find_nodes(const Job *job, Run *run, int count) {
    const float last = (float)(job->nodes - 1);
    const int32_t last_cell = job->nodes - 2;
    const int32_t by_blue = 3, by_green = by_blue * job->nodes, by_red = by_green * job->nodes;
    for (int i = 0; i < count; i++) {
        float red = clamped(run->red[i], 0, 1) * last, green = clamped(run->green[i], 0, 1) * last,
              blue = clamped(run->blue[i], 0, 1) * last;
        int32_t r = (int32_t)red, g = (int32_t)green, b = (int32_t)blue;
        /* The largest value belongs to the last cell, with a fraction of 1. */
        r = r > last_cell ? last_cell : r;
        g = g > last_cell ? last_cell : g;
        b = b > last_cell ? last_cell : b;
        red -= (float)r;
        green -= (float)g;
        blue -= (float)b;
        const float low = red < green ? red : green, high = red < green ? green : red;
        const float most = high > blue ? high : blue, least = low < blue ? low : blue;
        const float lower_high = high < blue ? high : blue, middle = low > lower_high ? low : lower_high;
        const int32_t first = most == red ? by_red : most == green ? by_green : by_blue;
        const int32_t final = least == blue ? by_blue : least == green ? by_green : by_red;
        const int32_t node = r * by_red + g * by_green + b * by_blue;
        run->node[0][i] = node;
        run->node[1][i] = node + first;
        run->node[2][i] = node + by_red + by_green + by_blue - final;
        run->share[0][i] = 1 - most;
        run->share[1][i] = most - middle;
        run->share[2][i] = middle - least;
        run->share[3][i] = least;
    }
}

/* Interpolates between four nodes. A node's three values are loaded as a vector of four; the fourth lane, the next
 * node's red, is ignored. The table has one value more, so that the last node can be loaded too. */
INLINE four interpolated(const float *table, int32_t to_opposite, const Run *run, int i) {
    const float *near = table + run->node[0][i], *second = table + run->node[1][i], *third = table + run->node[2][i];
    return *(const four_anywhere *)near * run->share[0][i] + *(const four_anywhere *)second * run->share[1][i] +
           *(const four_anywhere *)third * run->share[2][i] +
           *(const four_anywhere *)(near + to_opposite) * run->share[3][i];
}

/* Applies the LUT in place, four pixels at a time, and transposes the results to reds, greens and blues. */
INLINE void look_up(const Job *job, Run *run, int count) {
    const float *table = job->grade;
    const int32_t to_opposite = 3 * (1 + job->nodes + job->nodes * job->nodes);
    /* The lookup takes whole groups of four; what memory holds beyond the run's end could give offsets outside the
     * table. */
    for (int i = count; i < ((count + 3) & ~3); i++) run->red[i] = run->green[i] = run->blue[i] = 0;
    count = (count + 3) & ~3;
    find_nodes(job, run, count);
    for (int i = 0; i < count; i += 4) {
        const four a = interpolated(table, to_opposite, run, i), b = interpolated(table, to_opposite, run, i + 1);
        const four c = interpolated(table, to_opposite, run, i + 2), d = interpolated(table, to_opposite, run, i + 3);
        const four ac = PICK(a, c, 0, 4, 1, 5), bd = PICK(b, d, 0, 4, 1, 5);
        const four ac_blue = PICK(a, c, 2, 6, 2, 6), bd_blue = PICK(b, d, 2, 6, 2, 6);
        *(four *)(run->red + i) = PICK(ac, bd, 0, 4, 1, 5);
        *(four *)(run->green + i) = PICK(ac, bd, 2, 6, 3, 7);
        *(four *)(run->blue + i) = PICK(ac_blue, bd_blue, 0, 4, 1, 5);
    }
}

/* Adds the changes of one row of pixels to those of its chroma samples. */
INLINE void add_changes(Run *run, int count, int right) {
    for (int k = 0; k < 2; k++) {
        const float *graded = k ? run->blue : run->green, *chroma = run->chroma[k];
        float *change = run->change[k];
        const int pairs = right ? count >> 1 : 0;
        for (int j = 0; j < pairs; j++)
            change[j] += 0.5f * (run->weight[2 * j] * (graded[2 * j] - chroma[j]) +
                                 run->weight[2 * j + 1] * (graded[2 * j + 1] - chroma[j]));
        if (!right)
            for (int i = 0; i < count; i++) change[i] += run->weight[i] * (graded[i] - chroma[i]);
        else if (count & 1) /* the last sample of an odd width covers a single column */
            change[pairs] += run->weight[count - 1] * (graded[count - 1] - chroma[pairs]);
    }
}

INLINE void grade_row(const Job *job, Run *run, int row, int column, int count) {
    const float *decode = job->decode;
    load(&job->source[0], row, column, job->sample_bytes, count, run->first);
    for (int i = 0; i < count; i++) {
        run->red[i] = decode[0] * run->first[i] + run->shift[0][i];
        run->green[i] = decode[4] * run->first[i] + run->shift[1][i];
        run->blue[i] = decode[8] * run->first[i] + run->shift[2][i];
    }
    if (job->nodes)
        look_up(job, run, count);
    else
        multiply(job->grade, run, count);
    multiply(job->encode, run, count);
    for (int i = 0; i < count; i++) run->first[i] += run->weight[i] * (run->red[i] - run->first[i]);
    store(&job->target[0], row, column, job->sample_bytes, count, run->first, job->max_code);
    add_changes(run, count, job->right);
}

FOR_EVERY_MACHINE void chromacord_grade(const Job *job) {
    Run run;
    for (int top = 0; top < job->height; top += 1 << job->down) {
        const int below = top + (1 << job->down), bottom = below < job->height ? below : job->height;
        const int chroma_row = top >> job->down;
        for (int left = 0; left < job->width; left += RUN) {
            const int count = job->width - left < RUN ? job->width - left : RUN;
            const int sample = left >> job->right, samples = (count + job->right) >> job->right;
            int any = 0;
            for (int row = top; row < bottom; row++) {
                if (!load_weights(job, &run, row, left, count)) continue;
                /* Only for runs with foreground: most of the mask's box has none. */
                if (!any) load_chroma(job, &run, chroma_row, sample, samples);
                any = 1;
                grade_row(job, &run, row, left, count);
            }
            if (!any) continue;
            for (int k = 0; k < 2; k++) {
                /* The last chroma row of an odd height covers a single row. */
                const float share = 1.0f / (float)(bottom - top);
                for (int j = 0; j < samples; j++) run.chroma[k][j] += share * run.change[k][j];
                store(&job->target[k + 1], chroma_row, sample, job->sample_bytes, samples, run.chroma[k],
                      job->max_code);
            }
        }
    }
}

#ifndef SOURCE
#define SOURCE 0
#endif

uint32_t chromacord_source(void) { return SOURCE; }

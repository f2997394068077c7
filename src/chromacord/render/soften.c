/* Blurs a rectangle of one plane by a Gaussian, in light and weighted by the mask, in place: the work of softness.py.
 *
 * Each row is blurred horizontally into a ring buffer, which holds as many rows as the vertical blur spans. A row is
 * therefore read before any row within its reach is written. Samples of weight 0 do not affect the blur and are not
 * changed.
 */

#include <math.h>
#include <string.h>

#include "samples.h"

#define LEAST 1e-6f /* minimum sum of weights, to avoid a division by 0 */
#define DARK 4e-15f /* replaces 0, whose bits give no estimate of a root */

typedef struct {
    float *values, *weights; /* ring buffers of horizontally blurred rows */
    float *value, *weight; /* the current row, padded on both sides with zeros for the blur's reach */
    float *sum, *total; /* vertical sums of the rings' rows */
} Scratch;

/* Returns light to the power of 1 / 2.4 = 1 / 4 + 1 / 6: the product of its fourth and sixth root. The cube root is
 * found by Halley's method, from an estimate that treats the float's bits as its logarithm. */
INLINE float encoded(float light) {
    const float root = sqrtf(light < DARK ? DARK : light);
    int32_t bits;
    memcpy(&bits, &root, sizeof bits);
    /* Two thirds of the exponent's bias of 127, as bits, less what balances the error of the linear logarithm. */
    bits = (int32_t)((float)bits * (1.0f / 3)) + 709921077;
    float cube;
    memcpy(&cube, &bits, sizeof cube);
    for (int step = 0; step < 2; step++) {
        const float power = cube * cube * cube;
        cube *= (power + 2 * root) / (2 * power + root);
    }
    return sqrtf(root) * cube;
}

INLINE void load_values(const Softening *job, int row, int first, int end, float *restrict values) {
    const uint8_t *start = job->plane.data + row * job->plane.stride;
    if (!job->light)
        load(&job->plane, row, first, job->sample_bytes, end - first, values + first);
    else if (job->sample_bytes == 1)
        for (int i = first; i < end; i++) values[i] = job->light[start[i]];
    else
        for (int i = first; i < end; i++) values[i] = job->light[((const uint16_t *)start)[i]];
}

/* Adds a row of pixel weights to the weights of the samples that cover them. */
INLINE void add_weights(const Softening *job, int row, float share, float *pixels, float *weights) {
    load(&job->mask, row, 0, job->weight_bytes, job->columns, pixels);
    for (int i = 0; i < job->columns; i++)
        pixels[i] = clamped((pixels[i] - job->black) * job->weight_per_code, 0, 1);
    if (!job->right) {
        for (int i = 0; i < job->columns; i++) weights[i] += share * pixels[i];
        return;
    }
    for (int i = 0; i < job->columns >> 1; i++) weights[i] += share * 0.5f * (pixels[2 * i] + pixels[2 * i + 1]);
    /* The last sample of an odd width covers a single column. */
    if (job->columns & 1) weights[job->columns >> 1] += share * pixels[job->columns - 1];
}

/* Computes a row's weights, and finds the first sample with weight and the end of the last; both are 0 if none has. */
INLINE void load_weights(const Softening *job, int row, float *pixels, float *weights, int *first, int *end) {
    const int top = row << job->down, below = (row + 1) << job->down;
    const int bottom = below < job->rows ? below : job->rows;
    memset(weights, 0, sizeof(float) * (size_t)job->width);
    for (int line = top; line < bottom; line++)
        add_weights(job, line, 1.0f / (float)(bottom - top), pixels, weights);
    *first = 0, *end = job->width;
    while (*end > 0 && !(weights[*end - 1] > 0)) --*end;
    while (*first < *end && !(weights[*first] > 0)) ++*first;
    if (*first == *end) *first = *end = 0;
}

/* Starts a sum with the kernel's centre, or adds a symmetric pair of rows to it. */
INLINE void add_pair(float factor, const float *one, const float *other, int count, int is_first, float *restrict sum) {
    if (is_first)
        for (int i = 0; i < count; i++) sum[i] = factor * one[i];
    else
        for (int i = 0; i < count; i++) sum[i] += factor * (one[i] + other[i]);
}

INLINE void blur_across(const float *kernel, int reach, const float *row, int first, int end, float *sum) {
    for (int j = 0; j <= reach; j++)
        add_pair(kernel[j], row + first - j, row + first + j, end - first, !j, sum + first);
}

INLINE void blur_down(const Softening *job, const float *ring, int row, int first, int end, float *sum) {
    const int reach = job->reach_down, rows = 2 * reach + 1;
    for (int j = 0; j <= reach; j++) {
        const float *above = ring + (ptrdiff_t)((row - j + rows) % rows) * job->width + first;
        const float *below = ring + (ptrdiff_t)((row + j) % rows) * job->width + first;
        add_pair(job->kernel_down[j], above, below, end - first, !j, sum + first);
    }
}

/* Blurs a row horizontally into the ring; rows beyond the plane are empty. */
INLINE void take_row(const Softening *job, const Scratch *scratch, int row) {
    const int reach = job->reach_across;
    const ptrdiff_t place = (ptrdiff_t)(row % (2 * job->reach_down + 1)) * job->width;
    float *values = scratch->values + place, *weights = scratch->weights + place;
    int first = 0, end = 0;
    if (row < job->height) load_weights(job, row, scratch->sum, scratch->weight, &first, &end);
    memset(values, 0, sizeof(float) * (size_t)job->width);
    memset(weights, 0, sizeof(float) * (size_t)job->width);
    if (first == end) return;
    memset(scratch->value, 0, sizeof(float) * (size_t)job->width);
    load_values(job, row, first, end, scratch->value);
    for (int i = first; i < end; i++) scratch->value[i] *= scratch->weight[i];
    first = first > reach ? first - reach : 0;
    end = end + reach < job->width ? end + reach : job->width;
    blur_across(job->kernel_across, reach, scratch->value, first, end, values);
    blur_across(job->kernel_across, reach, scratch->weight, first, end, weights);
}

INLINE void write_row(const Softening *job, const Scratch *scratch, int row) {
    int first, end;
    float *own = scratch->value, *weight = scratch->weight, *mean = scratch->sum, *total = scratch->total;
    load_weights(job, row, mean, weight, &first, &end);
    if (first == end) return;
    load_values(job, row, first, end, own);
    blur_down(job, scratch->values, row, first, end, mean);
    blur_down(job, scratch->weights, row, first, end, total);
    for (int i = first; i < end; i++) {
        const float blurred = mean[i] / (total[i] < LEAST ? LEAST : total[i]);
        mean[i] = own[i] + weight[i] * (blurred - own[i]);
    }
    if (job->light)
        for (int i = first; i < end; i++) mean[i] = encoded(mean[i]) * job->scale + job->offset;
    load(&job->plane, row, first, job->sample_bytes, end - first, own);
    for (int i = first; i < end; i++) own[i - first] = weight[i] > 0 ? mean[i] : own[i - first];
    store(&job->plane, row, first, job->sample_bytes, end - first, own, job->max_code);
}

FOR_EVERY_MACHINE void chromacord_soften(const Softening *job) {
    const ptrdiff_t ring = (ptrdiff_t)(2 * job->reach_down + 1) * job->width, padded = job->width + 2 * job->reach_across;
    float *start = job->scratch;
    Scratch scratch = {.values = start, .weights = start + ring};
    start += 2 * ring;
    memset(start, 0, sizeof(float) * (size_t)(2 * padded));
    scratch.value = start + job->reach_across;
    scratch.weight = start + padded + job->reach_across;
    scratch.sum = start + 2 * padded;
    scratch.total = scratch.sum + job->columns; /* `sum` also holds rows of pixels, longer than rows of chroma */
    memset(scratch.values, 0, sizeof(float) * (size_t)(2 * ring)); /* rows above the plane are empty */
    for (int row = 0; row < job->height + job->reach_down; row++) {
        take_row(job, &scratch, row);
        if (row >= job->reach_down) write_row(job, &scratch, row - job->reach_down);
    }
}

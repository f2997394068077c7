/* Loading and storing rows of samples as floats, shared by all compiled code. */

#include <stddef.h>
#include <stdint.h>

#include "native.h"

#define INLINE static inline __attribute__((always_inline))

/* The dynamic linker chooses the clone for the processor, which needs the indirect functions of glibc. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define FOR_EVERY_MACHINE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EVERY_MACHINE
#endif

INLINE float clamped(float value, float low, float high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

INLINE void load(const Plane *plane, int row, int column, int bytes, int count, float *values) {
    const uint8_t *start = plane->data + row * plane->stride + (ptrdiff_t)column * bytes;
    if (bytes == 1)
        for (int i = 0; i < count; i++) values[i] = start[i];
    else if (bytes == 2)
        for (int i = 0; i < count; i++) values[i] = ((const uint16_t *)start)[i];
    else
        for (int i = 0; i < count; i++) values[i] = ((const float *)start)[i];
}

/* Clamps a value and rounds it to the nearest integer, halves to even: adding 1.5 * 2^23 leaves no fraction bits. */
INLINE int32_t code(float value, float max_code) {
    const float whole = 12582912.0f;
    return (int32_t)((clamped(value, 0, max_code) + whole) - whole);
}

INLINE void store(const Plane *plane, int row, int column, int bytes, int count, const float *values, float max_code) {
    uint8_t *start = plane->data + row * plane->stride + (ptrdiff_t)column * bytes;
    if (bytes == 1)
        for (int i = 0; i < count; i++) start[i] = (uint8_t)code(values[i], max_code);
    else
        for (int i = 0; i < count; i++) ((uint16_t *)start)[i] = (uint16_t)code(values[i], max_code);
}

/* cifar.c: reads the binary form of CIFAR-10 and CIFAR-100: records of one size without any header,
 *
 *     label bytes (CIFAR-10: 1, CIFAR-100: 2, the coarse label before the fine one; the last byte is taken)
 *     C x H x W bytes of pixels: channel after channel, each row-major
 *
 * into tensors that the caller has made: images uint8 (N, C, H, W), labels int32 (N). The file must hold exactly N records,
 * and each label must be below `classes`. It unpacks no archive and knows no names of classes. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "../base/error.h"
#include "../tensor/tensor.h"
#include "file.h"

static ex_status check_tensors(const ex_tensor *images, const ex_tensor *labels, int32_t label_bytes, int32_t classes) {
    char shape[128];
    if (images->dtype != EX_UINT8 || images->ndim != 4 || !ex_tensor_dense(images))
        return ex_fail("cifar: images are %s %s, expected dense uint8 (N, C, H, W)", ex_dtype_name(images->dtype),
                       ex_shape_text(shape, sizeof shape, images->ndim, images->dim));
    if (labels->dtype != EX_INT32 || labels->ndim != 1 || labels->dim[0] != images->dim[0] || !ex_tensor_dense(labels))
        return ex_fail("cifar: labels are %s %s, expected dense int32 (%d)", ex_dtype_name(labels->dtype),
                       ex_shape_text(shape, sizeof shape, labels->ndim, labels->dim), images->dim[0]);
    if (label_bytes < 1 || label_bytes > 8) return ex_fail("cifar: %d label bytes, expected 1 to 8", label_bytes);
    if (classes < 1 || classes > 256) return ex_fail("cifar: %d classes, expected 1 to 256", classes);
    return EX_OK;
}

/* Reads record after record; `pixels` is the size of one image in bytes. */
static ex_status read_records(FILE *file, const char *path, int32_t classes, int32_t label_bytes, size_t pixels, ex_tensor *images,
                              ex_tensor *labels) {
    uint8_t before[8];
    for (int32_t i = 0; i < images->dim[0]; i++) {
        size_t got = fread(before, 1, (size_t)label_bytes, file);
        got += fread(images->data + (size_t)i * pixels, 1, pixels, file);
        if (ferror(file)) return ex_fail("cannot read %s: %s", path, ex_system_text(errno));
        if (got != (size_t)label_bytes + pixels)
            return ex_fail("%s: truncated: record %d (counted from 0) has %zu bytes, expected %zu", path, i, got,
                           (size_t)label_bytes + pixels);
        int32_t label = before[label_bytes - 1];
        if (label >= classes)
            return ex_fail("%s: label %d (counted from 0) is %d, expected 0 to %d", path, i, label, classes - 1);
        ((int32_t *)labels->data)[i] = label;
    }
    return EX_OK;
}

static ex_status read_open(FILE *file, const char *path, int32_t classes, int32_t label_bytes, ex_tensor *images,
                           ex_tensor *labels) {
    const int32_t *d = images->dim;
    size_t pixels = (size_t)d[1] * (size_t)d[2] * (size_t)d[3], record = (size_t)label_bytes + pixels;
    struct stat s;
    if (fstat(fileno(file), &s) != 0) return ex_fail("cannot read %s: %s", path, ex_system_text(errno));
    if (!S_ISREG(s.st_mode)) return ex_fail("cannot read %s: it is not a file", path);
    if ((uint64_t)s.st_size != (uint64_t)d[0] * record)
        return ex_fail("%s: %lld bytes, expected %lld: %d images of (%d, %d, %d) with %d label byte%s each", path,
                       (long long)s.st_size, (long long)((uint64_t)d[0] * record), d[0], d[1], d[2], d[3], label_bytes,
                       label_bytes == 1 ? "" : "s");
    return read_records(file, path, classes, label_bytes, pixels, images, labels);
}

ex_status ex_cifar_read(const char *path, int32_t classes, int32_t label_bytes, ex_tensor *images, ex_tensor *labels) {
    if (check_tensors(images, labels, label_bytes, classes) != EX_OK) return EX_FAILED;
    FILE *file = fopen(path, "rbe");
    if (!file) return ex_fail("cannot read %s: %s", path, ex_system_text(errno));
    ex_status status = read_open(file, path, classes, label_bytes, images, labels);
    fclose(file);
    ex_tensor_touch(images);
    ex_tensor_touch(labels);
    return status;
}

// SPDX-License-Identifier: MIT
#include <stdio.h>

/* Weighs a loaf. */
int spdx(int flour, int water)
{
    return flour + water;
}

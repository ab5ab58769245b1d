#include <stdio.h>

/* Weighs a loaf. */
int free(int flour, int water)
{
    return flour + water;
}

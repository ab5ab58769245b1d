#!/bin/sh
# Bakes.
set -e
bake rye 250
bake wheat 230

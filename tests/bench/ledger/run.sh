#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Target E1: run.sh <ledger_bench of a Release build> <folder on the disk>.
# Three runs; every command is printed.
set -eux
program=$1
folder=$2
uname -sr
findmnt -no FSTYPE,SOURCE --target "$folder"
for run in 1 2 3; do
  "$program" "$folder" 1000
done

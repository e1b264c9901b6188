#!/bin/sh
# One machine, all its cores: GNU parallel runs SHARDS parts, one for each core at a time. Answers that are already in the
# files are not computed again, so after an interruption simply run it again.
#
#   SHARDS=32 ./audit-parallel.sh model.safetensors.index.json
set -u
shards=${SHARDS:-16}
out=${OUT:-audit}

# Shards are numbered from 1. The tables are discarded; the answers are in the files.
seq "$shards" | parallel -q "${SPECTRAL_NORM:-spectral-norm}" audit "$@" \
  --shard "{}/$shards" --resume "$out.{}-of-$shards.jsonl" > /dev/null
failed=$?
cat "$out".*-of-"$shards".jsonl > "$out.jsonl"
# The number of shards in which something could not be read or proven, or did not converge. Each has reported it.
exit "$failed"

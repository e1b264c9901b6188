#!/bin/sh
# One machine, all its cores: SHARDS parts, as many at a time as there are cores, by GNU parallel. What is in the files
# already is not done again, so run it once more after an interruption.
#
#   SHARDS=32 ./audit-parallel.sh model.safetensors.index.json
set -u
shards=${SHARDS:-16}
out=${OUT:-audit}

# Counted from 1, as shards are. The tables go nowhere; the answers are in the files.
seq "$shards" | parallel -q "${SPECTRAL_NORM:-spectral-norm}" audit "$@" \
  --shard "{}/$shards" --resume "$out.{}-of-$shards.jsonl" > /dev/null
failed=$?
cat "$out".*-of-"$shards".jsonl > "$out.jsonl"
# So many shards had something that could not be read or proven, or did not converge; they have said what.
exit "$failed"

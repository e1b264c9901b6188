// How fast a device's memory is: what the times of everything else are held against.

const GROUP = 64;
/** Groups of four numbers that a thread reads. */
const EACH = 64;
const STORAGE = 0x80;
const COPY = 0x8 | 0x4;

interface Bandwidth {
  /** bytes that were read, each once */
  readonly bytes: number;
  /** 10⁹ bytes a second, the best of the rounds */
  readonly read: number;
  /** likewise, bytes read and bytes written counted */
  readonly copy: number;
}

/** Sums a buffer, and copies it, a few times in a row each. */
export async function bandwidthOf(device: GPUDevice, bytes: number, rounds = 7): Promise<Bandwidth> {
  const fours = Math.floor(bytes / 16);
  const from = device.createBuffer({ size: 16 * fours, usage: STORAGE | COPY });
  const to = device.createBuffer({ size: 16 * fours, usage: STORAGE | COPY });
  const groups = Math.ceil(fours / (GROUP * EACH));
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code: reading(fours) }), entryPoint: "main" },
  });
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [from, to].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const most = device.limits.maxComputeWorkgroupsPerDimension;
  const down = Math.ceil(groups / most);
  const timed = async (record: (encoder: GPUCommandEncoder) => void) => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const encoder = device.createCommandEncoder();
      for (let k = 0; k < REPEATS; k++) record(encoder);
      const begin = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      best = Math.min(best, (performance.now() - begin) / REPEATS);
    }
    return best;
  };
  const readMs = await timed((encoder) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(Math.ceil(groups / down), down);
    pass.end();
  });
  const copyMs = await timed((encoder) => encoder.copyBufferToBuffer(from, 0, to, 0, 16 * fours));
  from.destroy();
  to.destroy();
  return {
    bytes: 16 * fours,
    read: (16 * fours) / readMs / 1e6,
    copy: (2 * 16 * fours) / copyMs / 1e6,
  };
}

const REPEATS = 4;

/** Neighbouring threads read what lies side by side; every sum is written, or nothing would be read. */
function reading(fours: number): string {
  return `
@group(0) @binding(0) var<storage, read> numbers: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@compute @workgroup_size(${GROUP})
fn main(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let group = workgroup.x + workgroup.y * workgroups.x;
  let begin = group * ${GROUP * EACH}u + local;
  var sum = vec4<f32>();
  for (var k = 0u; k < ${EACH}u; k++) {
    let i = begin + k * ${GROUP}u;
    if (i < ${fours}u) { sum += numbers[i]; }
  }
  if (begin < ${fours}u) { sums[group * ${GROUP}u + local] = sum; }
}`;
}

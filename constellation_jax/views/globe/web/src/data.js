// Reader of the packed objects; content.py writes them and describes the layout.

export async function readContent(text) {
  const characters = atob(text);
  const packed = new Uint8Array(characters.length);
  for (let i = 0; i < packed.length; i++) packed[i] = characters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return parseContent(await new Response(stream).arrayBuffer());
}

export function parseContent(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const n = header.count;
  const columns = {};
  header.columns.forEach((column, k) => {
    const shuffled = new Uint8Array(buffer, 4 + length + 4 * n * k, 4 * n);
    const bytes = new Uint8Array(4 * n);
    for (let b = 0; b < 4; b++) for (let i = 0; i < n; i++) bytes[4 * i + b] = shuffled[b * n + i];
    columns[column.name] = column.float ? new Float32Array(bytes.buffer) : new Int32Array(bytes.buffer);
  });
  const scales = Object.fromEntries(header.columns.map((column) => [column.name, 10 ** column.scale]));
  return { ...header, columns, scales, names: header.names.split("\n"), designators: header.designators.split("\n") };
}

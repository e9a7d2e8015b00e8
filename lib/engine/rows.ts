/** Rows `start … start + count`. */
export function rowsInOrder(count: number, start = 0): Int32Array {
  const rows = new Int32Array(count);
  for (let i = 0; i < count; i++) rows[i] = start + i;
  return rows;
}

import { isUtf8 } from 'node:buffer';

/** Bytes without a type as a text: what is no UTF-8 by its digits, so that none is another. */
export function textOfBytes(bytes: Uint8Array): string {
  const own = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(own) ? own.toString() : `0x${own.toString('hex')}`;
}

/** The sixteen bytes of a UUID as it is written. */
export function textOfUuid(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

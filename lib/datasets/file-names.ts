/** Whether a file of a dataset has a name, in which `*` stands for any characters. */
export function fileNamed(name: string): (key: string) => boolean {
  const parts = name.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('.*')}$`, 's');
  return (key) => pattern.test(key.replace(/^datasets\/[^/]+\//, ''));
}

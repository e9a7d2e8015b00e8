/** Whether a file of a dataset has a name, in which `*` stands for any characters. */
export function fileNamed(name: string): (key: string) => boolean {
  const [first = '', ...parts] = name.split('*');
  const last = parts.pop();
  return (key) => {
    const file = key.replace(/^datasets\/[^/]+\//, '');
    if (last === undefined) return file === first;
    if (file.length < first.length + last.length) return false;
    if (!file.startsWith(first) || !file.endsWith(last)) return false;
    // Each part as early as it comes: no later place leaves more room for the others.
    const end = file.length - last.length;
    let at = first.length;
    for (const part of parts) {
      const found = file.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

/** How the names of IDX files end: those of images, then those of their labels. */
export const idxEndings = ['idx3-ubyte', 'idx1-ubyte'].flatMap((ending) =>
  (['-', '.'] as const).flatMap((first) => [`${first}${ending}`, `${first}${ending}.gz`] as const),
);

const imagesEnding = /images([-.])idx3(-ubyte(?:\.gz)?)$/;

/** The name of the file of labels that belongs to one of images, where both are IDX. */
export function labelsOf(name: string): string | undefined {
  return imagesEnding.test(name) ? name.replace(imagesEnding, 'labels$1idx1$2') : undefined;
}

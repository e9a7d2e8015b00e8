/** A layer as Keras writes it: where a topology is needed, and tfjs must not be loaded. */
export function layer(class_name: string, name: string, settings: object = {}) {
  return { class_name, config: { name, ...settings } };
}

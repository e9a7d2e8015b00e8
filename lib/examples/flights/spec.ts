import { defineSpec } from '../../spec/spec.ts';
import { airports } from './airports.ts';

/**
 * Will a flight leave more than 15 minutes late? Hour, weekday and airports are embedded; how late
 * flights are now, at each airport, is what the online updates keep current.
 */
export const flightsSpec = defineSpec({
  model: 'flights',
  task: 'binary',
  features: {
    hour: {
      type: 'category',
      values: Array.from({ length: 24 }, (_, hour) => String(hour)),
      dimensions: 4,
    },
    weekday: { type: 'category', values: ['0', '1', '2', '3', '4', '5', '6'], dimensions: 2 },
    distance: { type: 'number' },
    origin: { type: 'category', values: [...airports], dimensions: 8 },
    destination: { type: 'category', values: [...airports], dimensions: 8 },
  },
  label: { name: 'late' },
  network: { hidden: [32], activation: 'relu' },
  optimizer: { type: 'adam', rate: 0.003 },
  batch: { epochs: 3, minibatch: 256, validation: 0.05, slice: { epochs: 1, seconds: 300 } },
  online: { minibatch: 64 },
});

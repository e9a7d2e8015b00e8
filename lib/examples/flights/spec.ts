import { defineSpec } from '../../spec/spec.ts';
import { airports } from './airports.ts';

/**
 * Will a flight leave more than 15 minutes late? What is known of it is embedded; how late flights
 * have been lately, at both airports and at this hour, is what the stream keeps current.
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
    origin_hour: { type: 'cross', of: ['origin', 'hour'], buckets: 8_192, dimensions: 4 },
    destination_hour: { type: 'cross', of: ['destination', 'hour'], buckets: 8_192, dimensions: 4 },
    late_now: { type: 'targetMean', of: ['weekday'], halfLife: 100 },
    late_from: { type: 'targetMean', of: ['origin'], halfLife: 10 },
    late_from_today: { type: 'targetMean', of: ['origin'], halfLife: 100 },
    late_to: { type: 'targetMean', of: ['destination'], halfLife: 20 },
  },
  label: { name: 'late' },
  network: { hidden: [64], activation: 'relu' },
  optimizer: { type: 'adam', rate: 0.003 },
  batch: { epochs: 3, minibatch: 256, validation: 0.05, slice: { epochs: 1, seconds: 300 } },
  online: { minibatch: 16 },
});

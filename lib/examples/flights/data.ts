import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { bytesInMemory } from '../../datasets/byte-source.ts';
import { readRows } from '../../datasets/rows.ts';
import type { Sample } from '../../features/encoder.ts';

/** Months of the dataset, January to June 2001. */
export const monthNames = ['January', 'February', 'March', 'April', 'May', 'June'] as const;

/** Flights of each month: a check on the reading, and the length of a stream before it is read. */
export const flightsOfMonth = [508_241, 458_171, 511_499, 501_032, 518_830, 502_227] as const;

const flightSchema = z.object({
  date: z.date(),
  delay: z.coerce.number(),
  distance: z.coerce.number(),
  origin: z.string(),
  destination: z.string(),
});

/** A flight as a row of a dataset. */
export type Flight = {
  /** The day of departure, as in `2001-02-28`. */
  readonly day: string;
  readonly hour: number;
  readonly weekday: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
  /** Whether it left more than 15 minutes late. */
  readonly late: boolean;
};

/**
 * The US domestic flights of some months in the order of their departure, in chunks of one month
 * each: `flights-3m.parquet` of the npm package vega-datasets (from the US Bureau of Transportation
 * Statistics).
 *
 * @param first,last months, 0 for January to 5 for June
 */
export async function* readFlights(
  first: number,
  last: number,
): AsyncGenerator<{ readonly month: number; readonly flights: readonly Flight[] }> {
  const file = new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets'));
  const bytes = bytesInMemory(await readFile(file));
  for await (const { rows } of readRows({ name: file.pathname, bytes })) {
    const months = Map.groupBy(
      Array.from(rows, (row) => flightSchema.parse(row)),
      ({ date }) => dayOf(date).getUTCMonth(),
    );
    for (const [month, flights] of months) {
      if (month > last) return;
      if (month >= first) yield { month, flights: flights.map(toFlight) };
    }
  }
}

/** A flight as a sample of a message. */
export function toSample({ day: _, late, ...features }: Flight): Sample {
  return { features, label: late };
}

/**
 * The day before midnight: the last minute of a day is written as 24:00, which reads as the next
 * day's first.
 */
function dayOf(date: Date): Date {
  return new Date(date.getTime() - 60_000);
}

function toFlight({
  date,
  delay,
  distance,
  origin,
  destination,
}: z.output<typeof flightSchema>): Flight {
  return {
    day: dayOf(date).toISOString().slice(0, 10),
    hour: date.getUTCHours(),
    weekday: date.getUTCDay(),
    distance,
    origin,
    destination,
    late: delay > 15,
  };
}

/** Every bound of Millrace, with its reason. Units are in the names. */
export const limits = {
  /** SQS refuses larger messages (since August 2025: 1 MiB). */
  messageBytes: 1_048_576,
  /** Names in one retraction: they leave room for the rest of its message. */
  retractionBytes: 917_504,
  /** More do not fit 1 MiB as JSON in any useful form; also bounds an `s3://` message. */
  messageSamples: 100_000,
  /** Keeps the unpacked form of an `s3://` sample object inside a function's memory. */
  sampleObjectBytes: 64 * 1_048_576,
  /** An array or object of JSON deeper than this is no sample. */
  jsonDepth: 8,
  /** Of a message: a row within the features of a sample, in the list of its samples. */
  messageDepth: 8 + 3,
  /** A category's text; longer ones are identifiers, not categories. */
  categoryCharacters: 256,
  /** Of a row or line that cannot be read, what its refusal repeats. */
  badRowCharacters: 200,
  /** Of an unknown field's name, what a refusal repeats. */
  fieldCharacters: 128,
  /** Parts of one message that are tried on their own, to find what makes it diverge. */
  divergenceTries: 256,
  /** Features of one model. */
  features: 1_000,
  /** Elements of one vector feature (a 224×224 RGB image has 150,528). */
  vectorLength: 200_000,
  /** Elements of all vectors and images of a sample. */
  sampleElements: 4_194_304,
  textBuckets: 65_536,
  /** Values or hash buckets of one category. */
  categoryValues: 1_000_000,
  /** Parameters of a network: three float32 copies (two Adam slots) fit a checkpoint of 600 MB. */
  parameters: 50_000_000,
  /** Producers of one ledger. A new one takes the place of the one that has been silent longest. */
  producers: 256,
  /** Entries since a producer sent last, after which a new one may take its place. */
  producerIdleEntries: 10_000,
  /** Evicted producers that one ledger can still recognise and refuse. */
  evictedProducers: 4_096,
  /**
   * Numbers of one producer, and of all together, whose contents a ledger recognises by their
   * digests: some 30 KB and 100 KB of each state.
   */
  numbersPerProducer: 1_024,
  numbersPerLedger: 4_096,
  /** Gaps in one producer's numbers that its ledger entry can hold open. */
  gapsPerProducer: 256,
  /**
   * Dead letters that were settled under a number and that one ledger knows by their ids; the
   * oldest are forgotten.
   */
  redrivenLetters: 4_096,
  /** Entries since a dead letter was redriven that are searched for it: some seconds of reading. */
  deadLetterEntries: 10_000,
  /**
   * A dead letter that a redrive has received, until it is sent again or released: less than SQS
   * remembers deduplication ids, so that one that broke off sends nothing twice.
   */
  deadLetterSeconds: 240,
  /** A producer's name. */
  producerCharacters: 128,
  /** An id under which a question is kept; the days that it is; such labels in one message. */
  idCharacters: 256,
  askedDays: 90,
  lateLabels: 10_000,
  /** The features that a message's labels bring into an entry. */
  lateBytes: 16 * 1_048_576,
  /** A window for labels ends while questions are kept; what a label behind it weighs at most. */
  labelWindowHours: 24 * 89,
  lateWeight: 10,
  /** How often default labels are sent, for at most so long. */
  defaultsEveryMinutes: 5,
  defaultsTimeoutSeconds: 240,
  defaultsMemoryMebibytes: 512,
  /** Of a message of them: less than SQS takes, and than may be joined at once. */
  defaultsBytes: 524_288,
  defaultsAtOnce: 200,
  /** Attempts at one conditional put whose outcome is unknown (timeouts, 5xx, 409). */
  putAttempts: 5,
  /** Models that one process of the online function keeps in memory, and bytes of their states. */
  cachedModels: 8,
  cachedModelBytes: 134_217_728,
  /**
   * Memory that learning takes for each byte of a state (weights and optimizer slots), measured:
   * copies of the fold, of the engine, and of the checkpoint that is written.
   */
  memoryPerStateByte: 8,
  /** Memory of a function before it has loaded a model, in MiB. */
  idleMemoryMebibytes: 300,
  /** Seconds for which predictions take a state for the newest without looking. */
  stateAgeSeconds: 5,
  /** Samples of one request for predictions; bytes of it and of its answer: Lambda allows 6 MB. */
  predictedSamples: 10_000,
  requestBytes: 5 * 1_048_576,
  /** Left of an invocation for predicting, after reading on in a journal. */
  answerReserveSeconds: 2,
  /** Rounds of read forward, learn, commit in one invocation, each lost to another writer. */
  commitAttempts: 5,
  /** Reads at once where a whole journal or quarantine is read: S3 answers each in some 20 ms. */
  readsAtOnce: 16,
  /** Questions that are kept at once, while somebody waits: the SDK has 50 connections. */
  keptAtOnce: 48,
  /**
   * A checkpoint is kept after every so many entries, so that folding again need not start at the
   * beginning.
   */
  keptCheckpointEntries: 1_000,
  /** Entries that are joined into one object, and the most bytes that it may have. */
  segmentEntries: 1_000,
  segmentBytes: 16 * 1_048_576,
  /** Entries that are read one by one before it is looked for such objects. */
  entriesBeforeSegments: 100,
  /** Earlier ones that are made up for with each, and the seconds that must be left for one. */
  segmentsMadeUp: 5,
  joinReserveSeconds: 30,
  /** Left of an invocation for committing and publishing, after the last minibatch. */
  publishReserveSeconds: 10,
  /** A message that takes so long to learn is refused; after so long, none joins an entry. */
  messageSeconds: 45,
  entrySeconds: 20,
  /** A state is published where folding what is behind the last one would take so long. */
  foldSeconds: 5,
  /** One journal entry after unpacking. */
  entryBytes: 1_073_741_824,
  /** Bytes of a dataset's object that are read at a time; as many are read ahead. */
  pieceBytes: 8 * 1_048_576,
  /** The same for whoever looks for the first row behind a place, and reads no further. */
  lookBytes: 131_072,
  /** Rows of a file that are handed on at a time, and the bytes that they have in it. */
  chunkRows: 16_384,
  chunkBytes: 4 * 1_048_576,
  /** What the columns that a spec takes of one row group of Parquet are in memory, as a whole. */
  rowGroupBytes: 805_306_368,
  /** Fields of an Arrow schema, those within others among them. */
  arrowFields: 100_000,
  /** Rows of a batch of Arrow: what has no values takes no bytes. */
  arrowRows: 16_777_216,
  /** One row of a text file; a longer one has a quote that never closes. */
  rowBytes: 16 * 1_048_576,
  /**
   * A numeric label, or a number that is standardised, which is so many times as large as nine
   * tenths of the others is an error, and would be all that a model learns.
   */
  outlierFactor: 1e6,
  /** Up to here a number is none: a time in nanoseconds beside a -1 is right. */
  outlierNumber: 1e19,
  /** Of a sample: one that weighs more than all others would be all that is learnt. */
  sampleWeight: 1e6,
  /** Objects of one dataset. */
  datasetObjects: 10_000,
  /** Shards after which a dataset that is being prepared keeps how far it is, for who goes on. */
  shardsPerKeep: 4,
  /**
   * Bytes of a part of a large dataset, which is prepared by itself. A few times as many as a
   * function reads ahead, and few enough that one is read within a minute.
   */
  partBytes: 134_217_728,
  /** Of the objects of one part as a list: Step Functions takes 256 KiB. */
  partListBytes: 131_072,
  /** Parts of a dataset that are prepared at once. */
  partsAtOnce: 50,
  /** Rows of one prepared shard: the unit of shuffling and of memory. */
  shardRows: 262_144,
  /** Bytes of one shard, of the held-out rows, and of the stream's window in a comparison. */
  shardBytes: 67_108_864,
  /** Bytes of one message's samples as numbers: hashed texts are larger than they came. */
  encodedBytes: 268_435_456,
  /** Bytes of samples that are learnt or predicted at a time, as they are and scaled. */
  blockBytes: 33_554_432,
  /** Products of an engine between two looks at the time: a second or two. */
  blockWork: 4e9,
  /** Values that one category's vocabulary may hold, and all of a model's: copied with each message. */
  vocabularySize: 65_536,
  vocabularySizes: 262_144,
  /** Means of labels that a state keeps: all are copied with each message. */
  targetCells: 1_048_576,
  /** Numbers of a row that are means of labels. */
  targetColumns: 1_000,
  /** Weights of a network that answers by their average. */
  averagedWeights: 1_000_000,
  /** Numbers that a label may have. */
  labelOutputs: 256,
  /** Rows of a gradient step, those that are replayed among them. */
  rehearsedRows: 8_192,
  /** Bytes of the old samples that a state keeps to learn them again. */
  replayBytes: 1_048_576,
  /** Held-out rows that a batch job evaluates; folds of a dataset. */
  heldOutRows: 200_000,
  folds: 100,
  /** Latest samples of the stream on which a challenger meets the champion. */
  streamWindowSamples: 10_000,
  /** How often a batch job reports its progress. */
  progressSeconds: 1,
  /** Minibatches of a job's first call of the engine; twice as many while calls are short. */
  minibatchesPerCall: 64,
  /** A call of an engine that took less was short: between two, all others have a turn. */
  callMilliseconds: 50,
  /** Slices of one batch job, so that a job that triggers itself ends. */
  slicesPerJob: 10_000,
  /** Journal entries that a promotion may leave to the online update to catch up. */
  promotionLagEntries: 16,
  /** Refused rows of a dataset that are kept as examples in the job's quarantine record. */
  refusedExamples: 100,
  /** Rows of one forward pass when predicting; bounds the memory of activations. */
  predictRows: 4_096,
  /** Weights from which on an optimizer with slots runs apart from ONNX Runtime's gradients. */
  apartElements: 32_768,
  /** Memory of a module of the engine of WebAssembly, which cannot have more than twice that. */
  wasmMemoryBytes: 2_147_483_648,
  /** Bytes of a state that are written for each entry on average. */
  publishedBytes: 1_048_576,
  /** Entries that a published state may be behind the journal. */
  entriesBehind: 100,
  /** Elements from which on states share what they have of a table in common. */
  largeTableElements: 16_384,
  /** Rows of one step when predicting, by ONNX Runtime and WebAssembly; the last is filled up. */
  predictMinibatch: 64,
  wasmPredictMinibatch: 8,
  /** Elements of a step's largest value when images are predicted: the step has fewer rows then. */
  predictedElements: 1_048_576,
  /** Elements for each row of a step's value that ONNX Runtime keeps for all steps of a call. */
  stackedElementsPerRow: 64,
  /** Elements that one call of the native engine gathers (16 MiB), so that calls are short. */
  elementsPerCall: 4_194_304,
  /** Memory of a function, in MiB. */
  functionMemoryMebibytes: 1_769,
  /** Memory that one vCPU of Lambda comes with, in MiB. */
  processorMebibytes: 1_769,
  onlineTimeoutSeconds: 120,
  batchTimeoutSeconds: 900,
  /** Of the function that predicts. */
  predictTimeoutSeconds: 30,
  /** Of the function that puts commands in order: it sends one message. */
  relayTimeoutSeconds: 30,
  relayMemoryMebibytes: 512,
  /** Messages that wait in the samples queue at most: SQS sees no model behind 120,000. */
  queueMessages: 100_000,
  /** Messages to one model within a minute that are very many. */
  floodMessages: 1_000,
  /** AWS asks for at least six times the function's timeout. */
  visibilityPerTimeout: 6,
  /** Messages of samples that one delivery has at most. */
  deliveryMessages: 10,
  /** Deliveries of one message of samples before it is a dead letter: a long fold has many. */
  maximumReceives: 50,
  /** Deliveries of one message of the jobs queue before it is a dead letter. */
  maximumJobReceives: 20,
  /** The first pause before what failed is delivered again; it doubles up to the longest. */
  shortestPauseSeconds: 1,
  /** Of samples: a model waits no longer than this after what it waited for is back. */
  longestPauseSeconds: 120,
  longestJobPauseSeconds: 900,
  /** Longer than its invocation, a message of a running slice stays invisible to others. */
  visibilityReserveSeconds: 60,
} as const;

/** The bounds by name, each a number. */
export type Limits = Readonly<Record<keyof typeof limits, number>>;

/** Bounds that the protocol meets after thousands of messages alone, and the attempts it makes. */
export type ProtocolLimits = Pick<
  Limits,
  | 'producers'
  | 'evictedProducers'
  | 'producerIdleEntries'
  | 'gapsPerProducer'
  | 'numbersPerProducer'
  | 'numbersPerLedger'
  | 'redrivenLetters'
  | 'deadLetterEntries'
  | 'keptCheckpointEntries'
  | 'segmentEntries'
  | 'putAttempts'
  | 'commitAttempts'
  | 'partBytes'
  | 'queueMessages'
  | 'floodMessages'
>;

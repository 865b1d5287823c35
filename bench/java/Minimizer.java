import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** The main job on Kafka Streams, exactly_once_v2, by hand; Avro's own reader skips what the job does not read. */
public final class Minimizer implements Processor<byte[], byte[], byte[], byte[]> {
  private static final AtomicLong DONE = new AtomicLong();
  private static final long[] EDGES = {0, 1L << 10, 1L << 20, 100L << 20};
  private static final Set<String> REGIONS = Set.of("eu-west", "eu-north", "us-east", "ap-south");
  private static final HexFormat HEX = HexFormat.of();

  private final Properties job;
  private final byte[] expected;
  private final byte[] prefix;
  private final byte[] topicHash;
  private final long stepMs;
  private final long ttlMs;
  private final long rotateMs;
  private final Schema view;
  private final GenericDatumReader<GenericRecord> reader;
  private final GenericDatumWriter<GenericRecord> writer;
  private final Mac mac;
  private final Cipher ids;
  private final Map<String, byte[]> handles =
      new LinkedHashMap<>(16_384, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, byte[]> eldest) {
          return size() > 8_192;
        }
      };
  private BinaryDecoder decoder;
  private BinaryEncoder encoder;
  private GenericRecord event;
  private long headersAt = Long.MIN_VALUE;
  private RecordHeaders shared;
  private ProcessorContext<byte[], byte[]> context;

  private Minimizer(Properties job) {
    try {
      this.job = job;
      expected = single(job.getProperty("raw_fingerprint"));
      prefix = single(job.getProperty("view_fingerprint"));
      topicHash = HEX.parseHex(job.getProperty("topic_hash"));
      stepMs = Long.parseLong(job.getProperty("step_ms"));
      ttlMs = Long.parseLong(job.getProperty("ttl_ms"));
      rotateMs = Long.parseLong(job.getProperty("rotate_ms"));
      Schema raw = new Schema.Parser().parse(job.getProperty("raw"));
      view = new Schema.Parser().parse(job.getProperty("view"));
      reader = new GenericDatumReader<>(raw, new Schema.Parser().parse(job.getProperty("projection")));
      writer = new GenericDatumWriter<>(view);
      mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(HEX.parseHex(job.getProperty("handle_key")), "HmacSHA256"));
      ids = Cipher.getInstance("AES/ECB/NoPadding");
      ids.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(HEX.parseHex(job.getProperty("id_key")), "AES"));
    } catch (Exception problem) {
      throw new IllegalStateException(problem);
    }
  }

  private static byte[] single(String fingerprint) {
    return ByteBuffer.allocate(10).put((byte) 0xc3).put((byte) 1).put(HEX.parseHex(fingerprint)).array();
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> given) {
    context = given;
  }

  @Override
  public void process(Record<byte[], byte[]> record) {
    try {
      byte[] value = record.value();
      if (!Arrays.equals(value, 0, 10, expected, 0, 10)) {
        throw new IllegalStateException("another schema");
      }
      decoder = DecoderFactory.get().binaryDecoder(value, 10, value.length - 10, decoder);
      event = reader.read(event, decoder);
      byte[] key = handle(event.get("device_id").toString());
      GenericRecord out = new GenericData.Record(view);
      long occurred = (Long) event.get("occurred_at");
      String region = event.get("region").toString();
      out.put("device_id", new GenericData.Fixed(view.getField("device_id").schema(), key));
      out.put("occurred_at", Math.floorDiv(occurred, 3_600_000L) * 3_600_000L);
      out.put("phase", new GenericData.EnumSymbol(view.getField("phase").schema(), event.get("phase").toString()));
      out.put(
          "protocol",
          new GenericData.EnumSymbol(view.getField("protocol").schema(), event.get("protocol").toString()));
      out.put("region", REGIONS.contains(region) ? region : "other");
      out.put("bytes_up", bucket((Long) event.get("bytes_up")));
      out.put("bytes_down", bucket((Long) event.get("bytes_down")));
      out.put("post_quantum", event.get("post_quantum"));
      ByteArrayOutputStream body = new ByteArrayOutputStream(96);
      body.write(prefix);
      encoder = EncoderFactory.get().directBinaryEncoder(body, encoder);
      writer.write(out, encoder);
      long floored = record.timestamp() - Math.floorMod(record.timestamp(), stepMs);
      context.forward(new Record<>(key, body.toByteArray(), floored, headers(floored, record.timestamp())));
      DONE.incrementAndGet();
    } catch (Exception problem) {
      throw new IllegalStateException(problem.getClass().getName());
    }
  }

  private Headers headers(long floored, long brokerMs) throws Exception {
    if (floored != headersAt) {
      headersAt = floored;
      shared = new RecordHeaders();
      job.stringPropertyNames().stream()
          .filter(name -> name.startsWith("header."))
          .sorted()
          .forEach(name -> shared.add(name.substring(7), job.getProperty(name).getBytes(StandardCharsets.UTF_8)));
      shared.add("ce_handleepoch", iso(Math.floorDiv(brokerMs, rotateMs) * rotateMs));
      shared.add("ce_expirytime", iso(floored + ttlMs));
    }
    var place = context.recordMetadata().orElseThrow();
    byte[] block =
        ByteBuffer.allocate(16).put(topicHash).putInt(place.partition()).putLong(place.offset()).array();
    RecordHeaders headers = new RecordHeaders(shared);
    headers.add("ce_id", HEX.formatHex(ids.doFinal(block)).getBytes(StandardCharsets.US_ASCII));
    return headers;
  }

  private byte[] handle(String identifier) {
    byte[] known = handles.get(identifier);
    if (known == null) {
      byte[] text = identifier.getBytes(StandardCharsets.UTF_8);
      mac.update((byte) 1);
      mac.update(ByteBuffer.allocate(4).putInt(text.length).array());
      known = Arrays.copyOf(mac.doFinal(text), 16);
      handles.put(identifier, known);
    }
    return known;
  }

  private static long bucket(long value) {
    int at = EDGES.length - 1;
    while (EDGES[at] > value) {
      at--;
    }
    return EDGES[at];
  }

  private static byte[] iso(long timestampMs) {
    return Instant.ofEpochMilli(timestampMs).toString().getBytes(StandardCharsets.US_ASCII);
  }

  /** Standard input: the name of a properties file with the job; ends when it does. */
  public static void main(String[] arguments) throws Exception {
    Properties job = new Properties();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (var file = Files.newBufferedReader(Path.of(arguments[0]))) {
      job.load(file);
    }
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, job.getProperty("run"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.getProperty("bootstrap"));
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, job.getProperty("linger_ms"));
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
    settings.put(StreamsConfig.STATE_DIR_CONFIG, job.getProperty("state"));
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
    settings.put(StreamsConfig.producerPrefix("linger.ms"), "5");
    Topology topology = new Topology();
    topology.addSource("raw", job.getProperty("raw_topic"));
    topology.addProcessor("minimize", () -> new Minimizer(job), "raw");
    topology.addSink("out", job.getProperty("topic"), "minimize");
    KafkaStreams streams = new KafkaStreams(topology, settings);
    streams.start();
    Thread ticking = new Thread(Minimizer::tick);
    ticking.setDaemon(true);
    ticking.start();
    while (input.readLine() != null) {}
    streams.close(java.time.Duration.ofSeconds(10));
    System.exit(0);
  }

  private static void tick() {
    var system =
        (com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean();
    try {
      while (true) {
        long rss = 0;
        long peak = 0;
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
          if (line.startsWith("VmRSS:") || line.startsWith("VmHWM:")) {
            long mb = Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024;
            rss = line.startsWith("VmRSS:") ? mb : rss;
            peak = line.startsWith("VmHWM:") ? mb : peak;
          }
        }
        System.out.println(
            "{\"at\": " + System.nanoTime() / 1e9 + ", \"cpu\": " + system.getProcessCpuTime() / 1e9
                + ", \"events\": " + DONE.get() + ", \"rss_mb\": " + rss + ", \"peak_mb\": " + peak + "}");
        Thread.sleep(100);
      }
    } catch (Exception ended) {
      return;
    }
  }
}

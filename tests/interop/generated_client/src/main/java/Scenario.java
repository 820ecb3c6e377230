import archive.client.ApiClient;
import archive.client.ApiException;
import archive.client.ApiResponse;
import archive.client.api.EvidenceApi;
import archive.client.api.ObjectsApi;
import archive.client.api.UploadsApi;
import archive.client.model.Acknowledgement;
import archive.client.model.BulkOutcome;
import archive.client.model.Change;
import archive.client.model.ListChanges200Response;
import archive.client.model.UploadedSubmission;
import archive.client.model.UploadedSubmissionFilesInner;
import archive.client.model.Version;
import com.google.gson.Gson;
import com.google.gson.JsonParser;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a filing service does, by a client that was generated from the description: URL KEY FOLDER KEYS.
 *
 * <p>FOLDER holds a.txt, b.txt and metadata.json; idempotency keys begin with KEYS. Says what it saw as one line of
 * JSON, which is compared with what the client for Python saw.
 */
public final class Scenario {
  private static final String TUS = "1.0.0";

  private final ObjectsApi objects;
  private final UploadsApi uploads;
  private final EvidenceApi evidence;
  private final Path folder;
  private final String keys;
  private final Map<String, Object> seen = new LinkedHashMap<>();

  private Scenario(String url, String key, Path folder, String keys) {
    ApiClient client = new ApiClient().setBasePath(url).setReadTimeout(60_000);
    client.setBearerToken(key);
    this.objects = new ObjectsApi(client);
    this.uploads = new UploadsApi(client);
    this.evidence = new EvidenceApi(client);
    this.folder = folder;
    this.keys = keys;
  }

  public static void main(String[] words) throws Exception {
    Scenario scenario = new Scenario(words[0], words[1], Path.of(words[2]), words[3]);
    scenario.run();
    System.out.println(new Gson().toJson(scenario.seen));
  }

  private void run() throws Exception {
    ListChanges200Response begun = changes(null);
    File a = folder.resolve("a.txt").toFile();
    File b = folder.resolve("b.txt").toFile();
    Acknowledgement made = deposit(List.of(a, b), keys + "1");
    seen.put("deposit", List.of(made.getStatus().getValue(), made.getVersion(), made.getSize(), made.getReplayed()));
    Acknowledgement again = deposit(List.of(a, b), keys + "1");
    seen.put("again", List.of(again.getPoid().equals(made.getPoid()), again.getReplayed()));
    seen.put("conflict", refused(() -> deposit(List.of(a), keys + "1")));
    seen.put("unknown", refused(() -> objects.showObject("0199b0c27d3e7000800000000000abcd", null)));
    Acknowledgement second =
        objects.update(made.getPoid(), List.of(b), keys + "2", null, null, null, null, null, null);
    seen.put("update", List.of(second.getPoid().equals(made.getPoid()), second.getVersion()));
    many();
    uploaded();
    Version shown = evidenced(made.getPoid());
    seen.put("evidenced", List.of(shown.getStatus().getValue(), shown.getTestTrust(), shown.getFiles().size()));
    seen.put("changes", followed(begun.getNext(), made.getPoid()));
    File back = objects.readFile(made.getPoid(), "a.txt", 1, null, null, null, null);
    seen.put("bytes", Files.mismatch(back.toPath(), a.toPath()));
    seen.put("receipt", evidence.readReceipt(made.getPoid(), 1).getPoid().equals(made.getPoid()));
    byte[] bundle = Files.readAllBytes(evidence.readBundle(made.getPoid(), 1, "bundle").toPath());
    seen.put("bundle", new String(bundle, 0, 2, StandardCharsets.US_ASCII));
    byte[] record = Files.readAllBytes(evidence.readEvidence(made.getPoid(), 1, null).toPath());
    seen.put("record", (int) record[0]);
  }

  /** What became of an object, up to the evidence of its second version: a change is told when the trail holds it. */
  private List<String> followed(String since, String poid) throws Exception {
    List<String> told = new ArrayList<>();
    for (int tries = 0; tries < 600 && !told.contains("evidenced 2"); tries++) {
      ListChanges200Response page = changes(since);
      for (Change change : page.getChanges()) {
        if (change.getPoid().equals(poid)) {
          told.add(change.getChange().getValue() + " " + change.getVersion());
        }
      }
      since = page.getNext();
      if (!page.getMore()) {
        Thread.sleep(100);
      }
    }
    return told;
  }

  private Acknowledgement deposit(List<File> files, String key) throws ApiException {
    File metadata = folder.resolve("metadata.json").toFile();
    return objects.deposit(files, key, null, null, metadata, null, null, null);
  }

  private void many() throws Exception {
    String manifest =
        "{\"objects\": [{\"key\": \"%sm1\", \"files\": [{\"path\": \"č/1.txt\", \"part\": \"a.txt\"}]},"
            + " {\"key\": \"%sm2\", \"files\": [{\"path\": \"../x\", \"part\": \"b.txt\"}]}]}";
    Path file = Files.createTempFile("manifest", ".json");
    Files.writeString(file, manifest.formatted(keys, keys));
    List<File> parts = List.of(folder.resolve("a.txt").toFile(), folder.resolve("b.txt").toFile());
    List<Object> told = new ArrayList<>();
    for (BulkOutcome outcome : objects.depositMany(file.toFile(), parts).getOutcomes()) {
      told.add(outcome.getKey().substring(keys.length()));
      told.add(outcome.getProblem() == null ? outcome.getStatus() : code(outcome.getProblem().getType()));
    }
    seen.put("many", told);
  }

  private void uploaded() throws Exception {
    File a = folder.resolve("a.txt").toFile();
    ApiResponse<Void> begun = uploads.createUploadWithHttpInfo(TUS, a.length(), null);
    String location = begun.getHeaders().get("location").get(0);
    String id = location.substring(location.lastIndexOf('/') + 1);
    uploads.appendUpload(0L, id, TUS, a, null);
    UploadedSubmissionFilesInner file = new UploadedSubmissionFilesInner().path("a.txt").upload(id);
    Acknowledgement made = uploads.depositUploads(new UploadedSubmission().files(List.of(file)), keys + "3");
    seen.put("uploaded", List.of(made.getSize(), made.getReplayed()));
  }

  private Version evidenced(String poid) throws Exception {
    for (int tries = 0; tries < 600; tries++) {
      Version shown = objects.showObject(poid, 1);
      if (shown.getProofOfExistence() != null && objects.showObject(poid, 2).getProofOfExistence() != null) {
        return shown;
      }
      System.err.println("waiting");
      Thread.sleep(200);
    }
    throw new IllegalStateException("never evidenced");
  }

  private ListChanges200Response changes(String since) throws ApiException {
    return objects.listChanges(since, 1000, null);
  }

  private interface Call {
    Object call() throws ApiException;
  }

  private static String refused(Call call) {
    try {
      call.call();
    } catch (ApiException error) {
      String type = JsonParser.parseString(error.getResponseBody()).getAsJsonObject().get("type").getAsString();
      return error.getCode() + " " + code(type);
    }
    return "taken";
  }

  private static String code(String type) {
    return type.substring("urn:trusted-archive:problem:".length());
  }
}

/*
 * What the European Commission's DSS library says of the signatures in a file, without a network and
 * without trust anchors other than those given: for each signature whether its value is intact and each
 * reference found and intact, for each time-stamp whether its imprint and signature are intact, for each
 * evidence record whether its data are. Nothing is decided here.
 *
 * usage: DssSignatureJudge < JOBS     one job a line: a name, a file, and any detached data files,
 *                                     separated by tabs; among them --ca=FILE (a trusted certificate) and
 *                                     --crl=FILE
 *
 * One line of JSON per job on standard output:
 *   {"job":…,"error":null|text,"version":…,
 *    "signatures":[{"format":…,"counter":…,"intact":…,"valid":…,"indication":…,"sub_indication":…,
 *                   "references":[{"type":…,"name":…,"found":…,"intact":…}]}],
 *    "timestamps":[{"type":…,"imprint_found":…,"imprint_intact":…,"intact":…,"valid":…}],
 *    "records":n,"evidence":[{"indication":…,"sub_indication":…,"references":[…]}]}
 */

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;

import eu.europa.esig.dss.diagnostic.DiagnosticData;
import eu.europa.esig.dss.diagnostic.EvidenceRecordWrapper;
import eu.europa.esig.dss.diagnostic.SignatureWrapper;
import eu.europa.esig.dss.diagnostic.TimestampWrapper;
import eu.europa.esig.dss.diagnostic.jaxb.XmlDigestMatcher;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;

public final class DssSignatureJudge {

    private static final long PATIENCE_SECONDS = 60;

    private static DSSDocument document(Path path) throws IOException {
        return new InMemoryDocument(Files.readAllBytes(path), path.getFileName().toString());
    }

    /** Certificates to trust and revocation lists. */
    private record Trust(List<Path> cas, List<Path> crls) { }

    private static Reports ask(Path file, List<Path> detached, Trust trust) throws IOException {
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setAIASource(null);
        verifier.setOcspSource(null);
        verifier.setCrlSource(null);
        if (!trust.cas().isEmpty()) {
            CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
            for (Path ca : trust.cas()) {
                trusted.addCertificate(DSSUtils.loadCertificate(ca.toFile()));
            }
            verifier.setTrustedCertSources(trusted);
        }
        if (!trust.crls().isEmpty()) {
            List<DSSDocument> crls = new ArrayList<>();
            for (Path crl : trust.crls()) {
                crls.add(document(crl));
            }
            verifier.setCrlSource(new ExternalResourcesCRLSource(crls.toArray(new DSSDocument[0])));
        }
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(document(file));
        validator.setCertificateVerifier(verifier);
        List<DSSDocument> data = new ArrayList<>();
        for (Path path : detached) {
            data.add(document(path));
        }
        if (!data.isEmpty()) {
            validator.setDetachedContents(data);
        }
        return validator.validateDocument();
    }

    private static String judge(
            String job, Path file, List<Path> detached, Trust trust, ExecutorService worker) throws Exception {
        Callable<Reports> question = () -> ask(file, detached, trust);
        var answer = worker.submit(question);
        try {
            Reports reports = answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            return told(job, null, reports.getDiagnosticData(), reports.getSimpleReport());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException || e.getCause() instanceof StackOverflowError) {
                return told(job, "DSS refuses to read it: " + e.getCause(), null, null);
            }
            throw e;
        } catch (TimeoutException e) {
            throw new IllegalStateException("DSS did not answer in " + PATIENCE_SECONDS + " s about " + job, e);
        }
    }

    private static String told(String job, String error, DiagnosticData data, SimpleReport simple) {
        StringBuilder json = new StringBuilder();
        json.append("{\"job\":").append(quoted(job)).append(",\"error\":").append(quoted(error));
        json.append(",\"version\":").append(quoted(version())).append(",\"signatures\":[");
        if (data != null) {
            json.append(data.getSignatures().stream().map(s -> signature(s, simple)).collect(Collectors.joining(",")));
        }
        json.append("],\"timestamps\":[");
        if (data != null) {
            json.append(data.getTimestampList().stream()
                    .map(DssSignatureJudge::timestamp)
                    .collect(Collectors.joining(",")));
        }
        json.append("],\"records\":").append(data == null ? 0 : data.getEvidenceRecords().size());
        json.append(",\"evidence\":[");
        if (data != null) {
            json.append(data.getEvidenceRecords().stream()
                    .map(r -> record(r, simple))
                    .collect(Collectors.joining(",")));
        }
        return json.append("]}").toString();
    }

    private static String record(EvidenceRecordWrapper record, SimpleReport simple) {
        var indication = simple.getIndication(record.getId());
        var sub = simple.getSubIndication(record.getId());
        String references = record.getDigestMatchers().stream()
                .map(DssSignatureJudge::reference)
                .collect(Collectors.joining(","));
        return "{\"indication\":" + quoted(indication == null ? null : indication.name())
                + ",\"sub_indication\":" + quoted(sub == null ? null : sub.name())
                + ",\"references\":[" + references + "]}";
    }

    private static String signature(SignatureWrapper signature, SimpleReport simple) {
        var indication = simple.getIndication(signature.getId());
        var sub = simple.getSubIndication(signature.getId());
        String references = signature.getDigestMatchers().stream()
                .map(DssSignatureJudge::reference)
                .collect(Collectors.joining(","));
        return "{\"format\":" + quoted(String.valueOf(signature.getSignatureFormat()))
                + ",\"counter\":" + signature.isCounterSignature()
                + ",\"intact\":" + signature.isSignatureIntact()
                + ",\"valid\":" + signature.isSignatureValid()
                + ",\"indication\":" + quoted(indication == null ? null : indication.name())
                + ",\"sub_indication\":" + quoted(sub == null ? null : sub.name())
                + ",\"references\":[" + references + "]}";
    }

    private static String reference(XmlDigestMatcher matcher) {
        String name = matcher.getDocumentName() != null ? matcher.getDocumentName() : matcher.getUri();
        return "{\"type\":" + quoted(String.valueOf(matcher.getType()))
                + ",\"name\":" + quoted(name)
                + ",\"found\":" + matcher.isDataFound()
                + ",\"intact\":" + matcher.isDataIntact() + "}";
    }

    private static String timestamp(TimestampWrapper timestamp) {
        return "{\"type\":" + quoted(String.valueOf(timestamp.getType()))
                + ",\"imprint_found\":" + timestamp.isMessageImprintDataFound()
                + ",\"imprint_intact\":" + timestamp.isMessageImprintDataIntact()
                + ",\"intact\":" + timestamp.isSignatureIntact()
                + ",\"valid\":" + timestamp.isSignatureValid() + "}";
    }

    private static String version() {
        Properties properties = new Properties();
        try (var in = DssSignatureJudge.class.getResourceAsStream(
                "/META-INF/maven/eu.europa.ec.joinup.sd-dss/dss-xades/pom.properties")) {
            properties.load(in);
        } catch (IOException e) {
            throw new IllegalStateException("the version of DSS cannot be read", e);
        }
        return "DSS " + properties.getProperty("version");
    }

    private static String quoted(String text) {
        if (text == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        ExecutorService worker = Executors.newCachedThreadPool();
        try {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] fields = line.split("\t");
                List<Path> detached = new ArrayList<>();
                Trust trust = new Trust(new ArrayList<>(), new ArrayList<>());
                for (int i = 2; i < fields.length; i++) {
                    if (fields[i].startsWith("--ca=")) {
                        trust.cas().add(Path.of(fields[i].substring(5)));
                    } else if (fields[i].startsWith("--crl=")) {
                        trust.crls().add(Path.of(fields[i].substring(6)));
                    } else {
                        detached.add(Path.of(fields[i]));
                    }
                }
                out.println(judge(fields[0], Path.of(fields[1]), detached, trust, worker));
            }
        } finally {
            worker.shutdownNow();
        }
    }
}

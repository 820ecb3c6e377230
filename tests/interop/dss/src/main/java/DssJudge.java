/*
 * A judge of RFC 4998 evidence records on the European Commission's DSS library, with its default
 * validation policy, given trust and revocation data, and no network.
 *
 * A record is accepted when DSS says PASSED of it and PASSED of every one of its time-stamps (at least
 * one), when every datum given was found in it and is intact, and, unless --part is given, when DSS
 * does not remark that the first list covers more than was given (its policy lets that pass with a
 * warning). What DSS cannot read, or refuses by throwing, is rejected with its words.
 *
 * usage: DssJudge [OPTION]... RECORD DATA...      one record; exit 0 accepted, 1 rejected, 2 usage
 *        DssJudge --batch                         one job a line on standard input: a name and the
 *                                                 arguments above, separated by tabs; exit 0 when every
 *                                                 job was judged, whatever the verdicts
 * options: --ca FILE     a trusted CA certificate (DER or PEM; repeatable)
 *          --crl FILE    a CRL (DER; repeatable)
 *          --at INSTANT  judge as of then (ISO 8601) and not as of now
 *          --no-path     trust nobody (public vectors of forgotten test authorities): the best that a
 *                        record can then have is INDETERMINATE, NO_CERTIFICATE_CHAIN_FOUND
 *          --part        the data may be a part of the group
 *
 * One line of JSON per record on standard output:
 *   {"job":…,"accepted":…,"reason":null|text,"indication":…,"sub_indication":…,"errors":[…],
 *    "warnings":[…],"data":{"found":n,"intact":n,"missing":n,"unlisted":n},
 *    "timestamps":[{"indication":…,"sub_indication":…,"time":…,"errors":[…],"warnings":[…]}],
 *    "version":…}
 */

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import eu.europa.esig.dss.diagnostic.jaxb.XmlDigestMatcher;
import eu.europa.esig.dss.enumerations.DigestMatcherType;
import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.enumerations.Level;
import eu.europa.esig.dss.enumerations.SubIndication;
import eu.europa.esig.dss.evidencerecord.common.validation.DefaultEvidenceRecordValidator;
import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.model.policy.ValidationPolicy;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.policy.EtsiValidationPolicy;
import eu.europa.esig.dss.policy.EtsiValidationPolicyFactory;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.simplereport.jaxb.XmlTimestamp;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.validation.reports.Reports;

public final class DssJudge {

    /** The job cannot be judged: it is put wrongly. */
    static final class Usage extends Exception {
        private static final long serialVersionUID = 1L;

        Usage(String reason) {
            super(reason);
        }
    }

    record Job(
            String name, Path record, List<Path> data, List<Path> cas, List<Path> crls, boolean part, Instant at) {
        static Job parse(String name, List<String> arguments) throws Usage {
            List<Path> cas = new ArrayList<>();
            List<Path> crls = new ArrayList<>();
            List<Path> files = new ArrayList<>();
            boolean path = true;
            boolean part = false;
            Instant at = null;
            for (int i = 0; i < arguments.size(); i++) {
                String argument = arguments.get(i);
                switch (argument) {
                    case "--ca" -> cas.add(Path.of(value(arguments, ++i)));
                    case "--crl" -> crls.add(Path.of(value(arguments, ++i)));
                    case "--at" -> at = instant(value(arguments, ++i));
                    case "--no-path" -> path = false;
                    case "--part" -> part = true;
                    default -> {
                        if (argument.startsWith("--")) {
                            throw new Usage("unknown option " + argument);
                        }
                        files.add(Path.of(argument));
                    }
                }
            }
            if (files.size() < 2) {
                throw new Usage("a record and at least one data file are needed");
            }
            if (path == cas.isEmpty()) {
                throw new Usage("give either --ca or --no-path");
            }
            return new Job(name, files.get(0), List.copyOf(files.subList(1, files.size())), cas, crls, part, at);
        }

        private static Instant instant(String text) throws Usage {
            try {
                return Instant.parse(text);
            } catch (DateTimeParseException e) {
                throw new Usage("no instant: " + text);
            }
        }

        private static String value(List<String> arguments, int index) throws Usage {
            if (index >= arguments.size()) {
                throw new Usage("the last option needs a file");
            }
            return arguments.get(index);
        }
    }

    // -- asking DSS --------------------------------------------------------------------------------

    private static DSSDocument document(Path path) throws IOException {
        return new InMemoryDocument(Files.readAllBytes(path), path.getFileName().toString());
    }

    private static final Map<Path, List<CertificateToken>> READ = new HashMap<>();

    private static List<CertificateToken> certificates(Path path) throws IOException, CertificateException {
        List<CertificateToken> tokens = READ.get(path);
        if (tokens == null) {
            tokens = new ArrayList<>();
            try (var in = Files.newInputStream(path)) {
                for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                    tokens.add(new CertificateToken((X509Certificate) certificate));
                }
            }
            READ.put(path, tokens);
        }
        return tokens;
    }

    /** Trusts the given CAs alone, knows the given CRLs alone, and fetches nothing. */
    private static CommonCertificateVerifier trust(Job job) throws IOException, CertificateException {
        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        for (Path ca : job.cas) {
            certificates(ca).forEach(trusted::addCertificate);
        }
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setTrustedCertSources(trusted);
        verifier.setAIASource(null);
        verifier.setOcspSource(null);
        if (!job.crls.isEmpty()) {
            List<DSSDocument> crls = new ArrayList<>();
            for (Path crl : job.crls) {
                crls.add(document(crl));
            }
            verifier.setCrlSource(new ExternalResourcesCRLSource(crls.toArray(new DSSDocument[0])));
        }
        return verifier;
    }

    private static Reports ask(Job job) throws IOException, CertificateException {
        DefaultEvidenceRecordValidator validator = DefaultEvidenceRecordValidator.fromDocument(document(job.record));
        validator.setCertificateVerifier(trust(job));
        List<DSSDocument> data = new ArrayList<>();
        for (int i = 0; i < job.data.size(); i++) {
            data.add(new InMemoryDocument(Files.readAllBytes(job.data.get(i)), "datum-" + (i + 1)));
        }
        validator.setDetachedContents(data);
        if (job.at != null) {
            validator.setValidationTime(Date.from(job.at));
        }
        return validator.validateDocument(job.part ? FOR_A_PART : FOR_A_GROUP);
    }

    private static final ValidationPolicy FOR_A_PART = defaultPolicy();
    private static final ValidationPolicy FOR_A_GROUP = groupPolicy();

    private static EtsiValidationPolicy defaultPolicy() {
        return (EtsiValidationPolicy) new EtsiValidationPolicyFactory().loadDefaultValidationPolicy();
    }

    /** The default policy, where strangers in the first list are a failure. */
    private static EtsiValidationPolicy groupPolicy() {
        EtsiValidationPolicy policy = defaultPolicy();
        policy.getEvidenceRecordConstraints().getDataObjectGroup().setLevel(Level.FAIL);
        return policy;
    }

    // -- judging -----------------------------------------------------------------------------------

    /** What DSS said about the data: how many of those given it found and found intact. */
    record Data(long found, long intact, long missing, long unlisted) {
        static Data of(Job job, List<XmlDigestMatcher> matchers) {
            List<XmlDigestMatcher> objects = matchers.stream()
                    .filter(m -> m.getType() == DigestMatcherType.EVIDENCE_RECORD_ARCHIVE_OBJECT)
                    .toList();
            long found = named(objects.stream().filter(XmlDigestMatcher::isDataFound));
            long intact = named(objects.stream().filter(XmlDigestMatcher::isDataIntact));
            long unlisted = matchers.stream()
                    .filter(m -> m.getType() == DigestMatcherType.EVIDENCE_RECORD_ORPHAN_REFERENCE)
                    .count();
            return new Data(found, intact, job.data.size() - intact, unlisted);
        }

        /** DSS may name one datum several times. */
        private static long named(Stream<XmlDigestMatcher> matchers) {
            return matchers.map(XmlDigestMatcher::getDocumentName).distinct().count();
        }
    }

    private static boolean judge(Job job, PrintStream out) throws IOException, CertificateException {
        Reports reports;
        try {
            reports = ask(job);
        } catch (RuntimeException e) {
            out.println("{\"job\":" + quoted(job.name) + ",\"accepted\":false,\"reason\":"
                    + quoted("DSS refuses to read it: " + e) + ",\"indication\":null,\"sub_indication\":null,"
                    + "\"errors\":[],\"warnings\":[],\"data\":null,\"timestamps\":[],\"version\":"
                    + quoted(version()) + "}");
            return false;
        }
        SimpleReport simple = reports.getSimpleReport();
        String id = simple.getFirstEvidenceRecordId();
        Data data = Data.of(job, reports.getDiagnosticData().getEvidenceRecordById(id).getDigestMatchers());
        List<XmlTimestamp> timestamps = simple.getEvidenceRecordTimestamps(id);
        String reason = reason(job, simple, id, data, timestamps);

        StringBuilder json = new StringBuilder();
        json.append("{\"job\":").append(quoted(job.name)).append(",\"accepted\":").append(reason == null);
        json.append(",\"reason\":").append(quoted(reason));
        json.append(",").append(indications(simple, id));
        json.append(",\"data\":{\"found\":").append(data.found).append(",\"intact\":").append(data.intact);
        json.append(",\"missing\":").append(data.missing).append(",\"unlisted\":").append(data.unlisted);
        json.append("},\"timestamps\":[");
        json.append(timestamps.stream()
                .map(t -> "{" + indications(simple, t.getId()) + ",\"time\":"
                        + quoted(t.getProductionTime().toInstant().toString()) + "}")
                .collect(Collectors.joining(",")));
        json.append("],\"version\":").append(quoted(version())).append("}");
        out.println(json);
        return reason == null;
    }

    /** Why the record is not accepted, or null. */
    private static String reason(Job job, SimpleReport simple, String id, Data data, List<XmlTimestamp> timestamps) {
        if (simple.getIndication(id) != Indication.PASSED) {
            return simple.getIndication(id) + text(simple.getSubIndication(id)) + messages(simple, id);
        }
        if (timestamps.isEmpty()) {
            return "PASSED, but without a time-stamp";
        }
        for (XmlTimestamp timestamp : timestamps) {
            String of = timestamp.getId();
            if (simple.getIndication(of) != Indication.PASSED) {
                return "time-stamp " + simple.getIndication(of) + text(simple.getSubIndication(of))
                        + messages(simple, of);
            }
        }
        if (data.missing != 0) {
            return "PASSED, but " + data.missing + " of " + job.data.size() + " data were not found intact";
        }
        return null;
    }

    private static String text(SubIndication subIndication) {
        return subIndication == null ? "" : ", " + subIndication;
    }

    private static String messages(SimpleReport simple, String id) {
        return simple.getAdESValidationErrors(id).stream()
                .map(Message::getValue)
                .collect(Collectors.joining(" ", ": ", ""));
    }

    private static String indications(SimpleReport simple, String id) {
        SubIndication subIndication = simple.getSubIndication(id);
        return "\"indication\":" + quoted(simple.getIndication(id).name())
                + ",\"sub_indication\":" + quoted(subIndication == null ? null : subIndication.name())
                + ",\"errors\":" + array(simple.getAdESValidationErrors(id))
                + ",\"warnings\":" + array(simple.getAdESValidationWarnings(id));
    }

    private static String array(Collection<Message> messages) {
        return messages.stream().map(m -> quoted(m.getValue())).collect(Collectors.joining(",", "[", "]"));
    }

    private static String version() {
        Properties properties = new Properties();
        try (var in = DssJudge.class.getResourceAsStream(
                "/META-INF/maven/eu.europa.ec.joinup.sd-dss/dss-evidence-record-asn1/pom.properties")) {
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
        try {
            if (arguments.length == 1 && arguments[0].equals("--batch")) {
                var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    List<String> fields = List.of(line.split("\t"));
                    judge(Job.parse(fields.get(0), fields.subList(1, fields.size())), out);
                }
                return;
            }
            System.exit(judge(Job.parse("record", List.of(arguments)), out) ? 0 : 1);
        } catch (Usage | IOException | CertificateException e) {
            System.err.println("DssJudge: " + e.getMessage());
            System.exit(2);
        }
    }
}

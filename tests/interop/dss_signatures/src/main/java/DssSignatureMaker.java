/*
 * Makes signatures with EU DSS, for us to judge: new ones, further ones, counter-signatures, and extended ones.
 *
 * Reads one job a line from standard input, fields separated by tabs:
 *   name, file to write, kind (JAdES, PAdES, CAdES, XAdES, ASiC-S/XAdES, ASiC-E/XAdES, ASiC-S/CAdES, ASiC-E/CAdES),
 *   level (B, T, LT, LTA), older file or "", data …, options
 * Without an older file the data are signed. One that is given is signed once more, with --extend it is extended, and
 * with --counter its first signature is counter-signed; the data are then what lies beside it.
 * Options: --packaging=ENVELOPING|ENVELOPED|DETACHED|INTERNALLY_DETACHED, --content-stamp, and for JAdES
 *   --form=COMPACT|FLATTENED_JSON|JSON, --refer=OBJECT_ID_BY_URI|OBJECT_ID_BY_URI_HASH, --plain (b64 false),
 *   --clear (etsiU as objects).
 * Answers on standard output, one JSON object a line: {"job":…,"error":…}.
 *
 * Arguments: PKCS #12 file, its password, address of a time-stamp authority (RFC 3161 over HTTP), then --ca= and --crl=
 * files: who is trusted and what is revoked.
 */

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;

import eu.europa.esig.dss.alert.SilentOnStatusAlert;
import eu.europa.esig.dss.asic.cades.ASiCWithCAdESSignatureParameters;
import eu.europa.esig.dss.asic.cades.signature.ASiCWithCAdESService;
import eu.europa.esig.dss.asic.xades.ASiCWithXAdESSignatureParameters;
import eu.europa.esig.dss.asic.xades.signature.ASiCWithXAdESService;
import eu.europa.esig.dss.cades.CAdESSignatureParameters;
import eu.europa.esig.dss.cades.signature.CAdESCounterSignatureParameters;
import eu.europa.esig.dss.cades.signature.CAdESService;
import eu.europa.esig.dss.enumerations.ASiCContainerType;
import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.JWSSerializationType;
import eu.europa.esig.dss.enumerations.SigDMechanism;
import eu.europa.esig.dss.enumerations.SignatureAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.jades.JAdESSignatureParameters;
import eu.europa.esig.dss.jades.signature.JAdESCounterSignatureParameters;
import eu.europa.esig.dss.jades.signature.JAdESService;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.DSSException;
import eu.europa.esig.dss.model.InMemoryDocument;
import eu.europa.esig.dss.model.SerializableCounterSignatureParameters;
import eu.europa.esig.dss.model.SerializableTimestampParameters;
import eu.europa.esig.dss.model.SignatureValue;
import eu.europa.esig.dss.model.TimestampBinary;
import eu.europa.esig.dss.model.ToBeSigned;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import eu.europa.esig.dss.signature.AbstractSignatureParameters;
import eu.europa.esig.dss.signature.AbstractSignatureService;
import eu.europa.esig.dss.signature.CounterSignatureService;
import eu.europa.esig.dss.signature.MultipleDocumentsSignatureService;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.spi.x509.revocation.crl.ExternalResourcesCRLSource;
import eu.europa.esig.dss.spi.x509.tsp.TSPSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.xades.XAdESSignatureParameters;
import eu.europa.esig.dss.xades.signature.XAdESCounterSignatureParameters;
import eu.europa.esig.dss.xades.signature.XAdESService;

public final class DssSignatureMaker {

    private final PrivateKey key;
    private final List<CertificateToken> chain = new ArrayList<>();
    private final CommonCertificateVerifier verifier;
    private final Authority authority;

    private DssSignatureMaker(String[] arguments) throws Exception {
        char[] password = arguments[1].toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (var in = Files.newInputStream(Path.of(arguments[0]))) {
            store.load(in, password);
        }
        String alias = store.aliases().nextElement();
        key = (PrivateKey) store.getKey(alias, password);
        for (Certificate one : store.getCertificateChain(alias)) {
            chain.add(new CertificateToken((X509Certificate) one));
        }
        authority = new Authority(arguments[2]);
        verifier = verifier(Arrays.asList(arguments).subList(3, arguments.length));
    }

    private static CommonCertificateVerifier verifier(List<String> files) throws IOException {
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setAIASource(null);
        verifier.setOcspSource(null);
        verifier.setAlertOnNoRevocationAfterBestSignatureTime(new SilentOnStatusAlert());
        CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
        List<DSSDocument> lists = new ArrayList<>();
        for (String file : files) {
            if (file.startsWith("--ca=")) {
                trusted.addCertificate(DSSUtils.loadCertificate(Path.of(file.substring(5)).toFile()));
            } else {
                lists.add(document(Path.of(file.substring(6))));
            }
        }
        verifier.setTrustedCertSources(trusted);
        verifier.setCrlSource(new ExternalResourcesCRLSource(lists.toArray(new DSSDocument[0])));
        return verifier;
    }

    private static DSSDocument document(Path path) throws IOException {
        return new InMemoryDocument(Files.readAllBytes(path), path.getFileName().toString());
    }

    /** What one line asks for. */
    private static final class Job {
        private final String out;
        private final String kind;
        private final String level;
        private final DSSDocument older;
        private final List<DSSDocument> data = new ArrayList<>();
        private final List<String> options = new ArrayList<>();

        private Job(String[] fields) throws IOException {
            out = fields[1];
            kind = fields[2];
            level = fields[3];
            older = fields[4].isEmpty() ? null : document(Path.of(fields[4]));
            for (String field : Arrays.asList(fields).subList(5, fields.length)) {
                if (field.startsWith("--")) {
                    options.add(field);
                } else {
                    data.add(document(Path.of(field)));
                }
            }
        }

        private boolean has(String option) {
            return options.contains(option);
        }

        private String given(String option, String otherwise) {
            return options.stream()
                    .filter(one -> one.startsWith(option + "="))
                    .map(one -> one.substring(option.length() + 1))
                    .findFirst()
                    .orElse(otherwise);
        }
    }

    private void make(Job job) throws GeneralSecurityException, IOException {
        boolean counter = job.has("--counter");
        DSSDocument made = switch (job.kind) {
            case "JAdES" -> {
                JAdESService service = new JAdESService(verifier);
                if (counter) {
                    JAdESCounterSignatureParameters parameters = new JAdESCounterSignatureParameters();
                    parameters.setSignatureIdToCounterSign(first(job));
                    parameters.setSignatureLevel(SignatureLevel.JAdES_BASELINE_B);
                    yield countersigned(service, parameters, parameters, job);
                }
                yield done(service, jades(job), job);
            }
            case "PAdES" -> {
                PAdESSignatureParameters parameters = new PAdESSignatureParameters();
                parameters.setSignatureLevel(level("PAdES", job));
                yield done(new PAdESService(verifier), parameters, job);
            }
            case "CAdES" -> {
                CAdESService service = new CAdESService(verifier);
                if (counter) {
                    CAdESCounterSignatureParameters parameters = new CAdESCounterSignatureParameters();
                    parameters.setSignatureIdToCounterSign(first(job));
                    parameters.setSignatureLevel(SignatureLevel.CAdES_BASELINE_B);
                    yield countersigned(service, parameters, parameters, job);
                }
                CAdESSignatureParameters parameters = new CAdESSignatureParameters();
                parameters.setSignatureLevel(level("CAdES", job));
                parameters.setSignaturePackaging(packaging(job));
                yield done(service, parameters, job);
            }
            case "XAdES" -> {
                XAdESService service = new XAdESService(verifier);
                if (counter) {
                    XAdESCounterSignatureParameters parameters = new XAdESCounterSignatureParameters();
                    parameters.setSignatureIdToCounterSign(first(job));
                    parameters.setSignatureLevel(SignatureLevel.XAdES_BASELINE_B);
                    yield countersigned(service, parameters, parameters, job);
                }
                XAdESSignatureParameters parameters = new XAdESSignatureParameters();
                parameters.setSignatureLevel(level("XAdES", job));
                parameters.setSignaturePackaging(packaging(job));
                yield done(service, parameters, job);
            }
            case "ASiC-S/XAdES", "ASiC-E/XAdES" -> {
                ASiCWithXAdESSignatureParameters parameters = new ASiCWithXAdESSignatureParameters();
                parameters.aSiC().setContainerType(container(job));
                parameters.setSignatureLevel(level("XAdES", job));
                yield done(new ASiCWithXAdESService(verifier), parameters, job);
            }
            case "ASiC-S/CAdES", "ASiC-E/CAdES" -> {
                ASiCWithCAdESSignatureParameters parameters = new ASiCWithCAdESSignatureParameters();
                parameters.aSiC().setContainerType(container(job));
                parameters.setSignatureLevel(level("CAdES", job));
                yield done(new ASiCWithCAdESService(verifier), parameters, job);
            }
            default -> throw new IllegalArgumentException("no such kind: " + job.kind);
        };
        made.save(job.out);
    }

    private static SignatureLevel level(String form, Job job) {
        return SignatureLevel.valueOf(form + "_BASELINE_" + job.level);
    }

    private static SignaturePackaging packaging(Job job) {
        return SignaturePackaging.valueOf(job.given("--packaging", "ENVELOPING"));
    }

    private static ASiCContainerType container(Job job) {
        return job.kind.startsWith("ASiC-S") ? ASiCContainerType.ASiC_S : ASiCContainerType.ASiC_E;
    }

    private static JAdESSignatureParameters jades(Job job) {
        JAdESSignatureParameters parameters = new JAdESSignatureParameters();
        parameters.setSignatureLevel(level("JAdES", job));
        parameters.setJwsSerializationType(
                JWSSerializationType.valueOf(job.given("--form", "JSON") + "_SERIALIZATION"));
        parameters.setSignaturePackaging(packaging(job));
        String refer = job.given("--refer", "");
        if (!refer.isEmpty()) {
            parameters.setSignaturePackaging(SignaturePackaging.DETACHED);
            parameters.setSigDMechanism(SigDMechanism.valueOf(refer));
        }
        parameters.setBase64UrlEncodedPayload(!job.has("--plain"));
        parameters.setBase64UrlEncodedEtsiUComponents(!job.has("--clear"));
        return parameters;
    }

    private <P extends AbstractSignatureParameters<?>, T extends SerializableTimestampParameters> DSSDocument done(
            AbstractSignatureService<P, T> service, P parameters, Job job) throws GeneralSecurityException {
        service.setTspSource(authority);
        parameters.setDigestAlgorithm(DigestAlgorithm.SHA384);
        if (job.older != null) {
            parameters.setDetachedContents(job.data);
            if (job.has("--extend")) {
                return service.extendDocument(job.older, parameters);
            }
        }
        parameters.setSigningCertificate(chain.get(0));
        parameters.setCertificateChain(chain);
        DSSDocument one = job.older != null ? job.older : job.data.get(0);
        if (job.older == null && job.data.size() > 1) {
            @SuppressWarnings("unchecked")
            var many = (MultipleDocumentsSignatureService<P, T>) service;
            if (job.has("--content-stamp")) {
                parameters.setContentTimestamps(List.of(many.getContentTimestamp(job.data, parameters)));
            }
            ToBeSigned octets = many.getDataToSign(job.data, parameters);
            return many.signDocument(job.data, parameters, signed(octets, parameters.getSignatureAlgorithm()));
        }
        if (job.has("--content-stamp")) {
            parameters.setContentTimestamps(List.of(service.getContentTimestamp(one, parameters)));
        }
        ToBeSigned octets = service.getDataToSign(one, parameters);
        return service.signDocument(one, parameters, signed(octets, parameters.getSignatureAlgorithm()));
    }

    private <C extends SerializableCounterSignatureParameters> DSSDocument countersigned(
            CounterSignatureService<C> service, C parameters, AbstractSignatureParameters<?> same, Job job)
            throws GeneralSecurityException {
        same.setDigestAlgorithm(DigestAlgorithm.SHA384);
        same.setSigningCertificate(chain.get(0));
        same.setCertificateChain(chain);
        same.setDetachedContents(job.data);
        ToBeSigned octets = service.getDataToBeCounterSigned(job.older, parameters);
        return service.counterSignSignature(
                job.older, parameters, signed(octets, parameters.getSignatureAlgorithm()));
    }

    private static String first(Job job) {
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(job.older);
        validator.setDetachedContents(job.data);
        return validator.getSignatures().get(0).getId();
    }

    private SignatureValue signed(ToBeSigned octets, SignatureAlgorithm algorithm) throws GeneralSecurityException {
        Signature signature = Signature.getInstance(algorithm.getJCEId());
        signature.initSign(key);
        signature.update(octets.getBytes());
        return new SignatureValue(algorithm, signature.sign());
    }

    /** A time-stamp authority over HTTP. */
    private static final class Authority implements TSPSource {

        private static final long serialVersionUID = 1L;

        private final String address;

        private Authority(String address) {
            this.address = address;
        }

        @Override
        public TimestampBinary getTimeStampResponse(DigestAlgorithm algorithm, byte[] digest) {
            try {
                TimeStampRequestGenerator generator = new TimeStampRequestGenerator();
                generator.setCertReq(true);
                TimeStampRequest request = generator.generate(
                        new ASN1ObjectIdentifier(algorithm.getOid()), digest, new BigInteger(64, new SecureRandom()));
                TimeStampResponse response = new TimeStampResponse(posted(request.getEncoded()));
                response.validate(request);
                return new TimestampBinary(response.getTimeStampToken().getEncoded());
            } catch (Exception e) {
                throw new DSSException("no time-stamp: " + e, e);
            }
        }

        private byte[] posted(byte[] request) throws IOException {
            HttpURLConnection connection = (HttpURLConnection) URI.create(address).toURL().openConnection();
            connection.setDoOutput(true);
            connection.setRequestProperty("Content-Type", "application/timestamp-query");
            try (OutputStream out = connection.getOutputStream()) {
                out.write(request);
            }
            try (var in = connection.getInputStream()) {
                return in.readAllBytes();
            }
        }
    }

    private static String quoted(String text) {
        return text == null ? "null" : '"' + text.replaceAll("[\\x00-\\x1f\"\\\\]", " ") + '"';
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        DssSignatureMaker maker = new DssSignatureMaker(arguments);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = line.split("\t", -1);
            String error = null;
            try {
                maker.make(new Job(fields));
            } catch (RuntimeException | IOException e) {
                error = e.toString();
            }
            out.println("{\"job\":" + quoted(fields[0]) + ",\"error\":" + quoted(error) + "}");
        }
    }
}

// Pods (core/v1).
export const podShapes = `
Pod
  string      apiVersion kind
  ObjectMeta  metadata@1
  PodSpec     spec@2
  PodStatus   status@3

PodTemplateSpec
  ObjectMeta  metadata@1
  PodSpec     spec@2

PodSpec
  [Container]:name              containers!@2 initContainers@20
  [EphemeralContainer]:name     ephemeralContainers@34
  [Volume]:name+retainKeys      volumes@1
  string                        restartPolicy@3 dnsPolicy@6 nodeName@10 hostname@16 subdomain@17 serviceAccountName@8 serviceAccount@9
  string                        schedulerName@19 priorityClassName@24 preemptionPolicy@31 runtimeClassName@29 hostnameOverride@41
  int64                         terminationGracePeriodSeconds?@4 activeDeadlineSeconds?@5
  int32                         priority?@25
  {string}                      nodeSelector@7
  bool                          automountServiceAccountToken?@21 hostNetwork@11 hostPID@12 hostIPC@13 hostUsers?@37
  bool                          shareProcessNamespace?@27 enableServiceLinks?@30 setHostnameAsFQDN?@35
  PodSecurityContext            securityContext@14
  [LocalObjectReference]:name   imagePullSecrets@15
  Affinity                      affinity@18
  [Toleration]                  tolerations@22
  [HostAlias]:ip                hostAliases@23
  PodDNSConfig                  dnsConfig@26
  [PodReadinessGate]            readinessGates@28
  {quantity}                    overhead@32
  [TopologySpreadConstraint]:topologyKey  topologySpreadConstraints@33
  PodOS                         os@36
  [PodSchedulingGate]:name      schedulingGates@38
  [any]:name+retainKeys         resourceClaims
  ResourceRequirements          resources@40
  any                           workloadRef

PodOS
  string  name!@1

PodSchedulingGate
  string  name!@1

PodReadinessGate
  string  conditionType!@1

HostAlias
  string    ip!@1
  [string]  hostnames@2

PodDNSConfig
  [string]              nameservers@1 searches@2
  [PodDNSConfigOption]  options@3

PodDNSConfigOption
  string  name@1 value@2

TopologySpreadConstraint
  int32          maxSkew!@1 minDomains?@5
  string         topologyKey!@2 whenUnsatisfiable!@3 nodeAffinityPolicy@6 nodeTaintsPolicy@7
  LabelSelector  labelSelector@4
  [string]       matchLabelKeys@8

PodSecurityContext
  SELinuxOptions  seLinuxOptions@1
  any             windowsOptions
  int64           runAsUser?@2 runAsGroup?@6 fsGroup?@5
  bool            runAsNonRoot?@3
  [int64]         supplementalGroups@4
  string          supplementalGroupsPolicy@12 fsGroupChangePolicy@9 seLinuxChangePolicy@13
  [Sysctl]        sysctls@7
  SeccompProfile  seccompProfile@10 appArmorProfile@11

Sysctl
  string  name!@1 value!@2

SELinuxOptions
  string  user@1 role@2 type@3 level@4

SeccompProfile
  string  type!@1 localhostProfile@2

Affinity
  NodeAffinity     nodeAffinity@1
  PodAffinity      podAffinity@2
  PodAffinity      podAntiAffinity@3

NodeAffinity
  NodeSelector               requiredDuringSchedulingIgnoredDuringExecution@1
  [PreferredSchedulingTerm]  preferredDuringSchedulingIgnoredDuringExecution@2

NodeSelector
  [NodeSelectorTerm]  nodeSelectorTerms!@1

PreferredSchedulingTerm
  int32             weight!@1
  NodeSelectorTerm  preference!@2

NodeSelectorTerm
  [NodeSelectorRequirement]  matchExpressions@1 matchFields@2

NodeSelectorRequirement
  string    key!@1 operator!@2
  [string]  values@3

PodAffinity
  [PodAffinityTerm]          requiredDuringSchedulingIgnoredDuringExecution@1
  [WeightedPodAffinityTerm]  preferredDuringSchedulingIgnoredDuringExecution@2

WeightedPodAffinityTerm
  int32            weight!@1
  PodAffinityTerm  podAffinityTerm!@2

PodAffinityTerm
  LabelSelector  labelSelector@1 namespaceSelector@4
  [string]       namespaces@2 matchLabelKeys@5 mismatchLabelKeys@6
  string         topologyKey!@3

Toleration
  string  key@1 operator@2 value@3 effect@4
  int64   tolerationSeconds?@5

Container
  string                       name!@1 image@2 workingDir@5 imagePullPolicy@14 restartPolicy@24
  string                       terminationMessagePath@13 terminationMessagePolicy@20
  [string]                     command@3 args@4
  [ContainerPort]:containerPort  ports@6
  [EnvFromSource]              envFrom@19
  [EnvVar]:name                env@7
  ResourceRequirements         resources@8
  [any]                        resizePolicy restartPolicyRules
  [VolumeMount]:mountPath      volumeMounts@9
  [VolumeDevice]:devicePath    volumeDevices@21
  Probe                        livenessProbe@10 readinessProbe@11 startupProbe@22
  Lifecycle                    lifecycle@12
  SecurityContext              securityContext@15
  bool                         stdin@16 stdinOnce@17 tty@18

EphemeralContainer
  string                       name!@1.1 image@1.2 workingDir@1.5 imagePullPolicy@1.14 restartPolicy@1.24 targetContainerName@2
  string                       terminationMessagePath@1.13 terminationMessagePolicy@1.20
  [string]                     command@1.3 args@1.4
  [ContainerPort]:containerPort  ports@1.6
  [EnvFromSource]              envFrom@1.19
  [EnvVar]:name                env@1.7
  ResourceRequirements         resources@1.8
  [any]                        resizePolicy restartPolicyRules
  [VolumeMount]:mountPath      volumeMounts@1.9
  [VolumeDevice]:devicePath    volumeDevices@1.21
  Probe                        livenessProbe@1.10 readinessProbe@1.11 startupProbe@1.22
  Lifecycle                    lifecycle@1.12
  SecurityContext              securityContext@1.15
  bool                         stdin@1.16 stdinOnce@1.17 tty@1.18

ContainerPort
  int32   containerPort!@3 hostPort@2
  string  name@1 protocol@4 hostIP@5

EnvFromSource
  string               prefix@1
  OptionalReference    configMapRef@2 secretRef@3

OptionalReference
  string  name@1.1
  bool    optional?@2

EnvVar
  string        name!@1 value@2
  EnvVarSource  valueFrom@3

EnvVarSource
  ObjectFieldSelector    fieldRef@1
  ResourceFieldSelector  resourceFieldRef@2
  KeySelector            configMapKeyRef@3 secretKeyRef@4
  any                    fileKeyRef

ObjectFieldSelector
  string  apiVersion@1 fieldPath!@2

ResourceFieldSelector
  string    containerName@1 resource!@2
  quantity  divisor@3

KeySelector
  string  name@1.1 key!@2
  bool    optional?@3

ResourceRequirements
  {quantity}  limits@1 requests@2
  [any]       claims

VolumeMount
  string  name!@1 mountPath!@3 subPath@4 subPathExpr@6 mountPropagation@5 recursiveReadOnly@7
  bool    readOnly@2

VolumeDevice
  string  name!@1 devicePath!@2

Probe
  ExecAction       exec@1.1
  HTTPGetAction    httpGet@1.2
  TCPSocketAction  tcpSocket@1.3
  GRPCAction       grpc@1.4
  int32            initialDelaySeconds@2 timeoutSeconds@3 periodSeconds@4 successThreshold@5 failureThreshold@6
  int64            terminationGracePeriodSeconds?@7

ExecAction
  [string]  command@1

HTTPGetAction
  string        path@1 host@3 scheme@4
  intOrString   port!@2
  [HTTPHeader]  httpHeaders@5

HTTPHeader
  string  name!@1 value!@2

TCPSocketAction
  intOrString  port!@1
  string       host@2

GRPCAction
  int32   port!@1
  string  service@2

SleepAction
  int64  seconds!@1

Lifecycle
  LifecycleHandler  postStart@1 preStop@2
  string            stopSignal@3

LifecycleHandler
  ExecAction       exec@1
  HTTPGetAction    httpGet@2
  TCPSocketAction  tcpSocket@3
  SleepAction      sleep@4

SecurityContext
  Capabilities    capabilities@1
  bool            privileged?@2 runAsNonRoot?@5 readOnlyRootFilesystem?@6 allowPrivilegeEscalation?@7
  SELinuxOptions  seLinuxOptions@3
  any             windowsOptions
  int64           runAsUser?@4 runAsGroup?@8
  string          procMount@9
  SeccompProfile  seccompProfile@11 appArmorProfile@12

Capabilities
  [string]  add@1 drop@2

PodStatus
  string                  phase@1 message@3 reason@4 nominatedNodeName@11 hostIP@5 podIP@6 qosClass@9 resize@14
  int64                   observedGeneration@17
  [PodCondition]:type     conditions@2
  [HostIP]:ip             hostIPs@16
  [PodIP]:ip              podIPs@12
  time                    startTime@7
  [ContainerStatus]       initContainerStatuses@10 containerStatuses@8 ephemeralContainerStatuses@13
  [any]:name              resourceClaimStatuses
  any                     extendedResourceClaimStatus
  {quantity}              allocatedResources@19
  ResourceRequirements    resources@20

PodCondition
  string  type!@1 status!@2 reason@5 message@6
  time    lastProbeTime@3 lastTransitionTime@4
  int64   observedGeneration@7

HostIP
  string  ip!@1

PodIP
  string  ip!@1

ContainerStatus
  string          name!@1 image!@6 imageID!@7 containerID@8 stopSignal@15
  ContainerState  state@2 lastState@3
  bool            ready!@4 started?@9
  int32           restartCount!@5
  {quantity}      allocatedResources@10
  ResourceRequirements  resources@11
  [any]           volumeMounts allocatedResourcesStatus
  any             user

ContainerState
  ContainerStateWaiting     waiting@1
  ContainerStateRunning     running@2
  ContainerStateTerminated  terminated@3

ContainerStateWaiting
  string  reason@1 message@2

ContainerStateRunning
  time  startedAt@1

ContainerStateTerminated
  int32   exitCode!@1 signal@2
  string  reason@3 message@4 containerID@7
  time    startedAt@5 finishedAt@6
`;

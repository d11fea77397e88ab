// Volumes (core/v1). Sources that no node of ours can mount are kept as they are.
export const volumeShapes = `
Volume
  string                 name!@1
  HostPathSource         hostPath@2.1
  EmptyDirSource         emptyDir@2.2
  SecretSource           secret@2.6
  ConfigMapSource        configMap@2.19
  DownwardAPISource      downwardAPI@2.16
  ProjectedSource        projected@2.26
  PersistentVolumeClaimSource  persistentVolumeClaim@2.10
  any                    awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume
  any                    flocker gcePersistentDisk gitRepo glusterfs image iscsi nfs photonPersistentDisk
  any                    portworxVolume quobyte rbd scaleIO storageos vsphereVolume

HostPathSource
  string  path!@1 type@2

EmptyDirSource
  string    medium@1
  quantity  sizeLimit@2

KeyToPath
  string  key!@1 path!@2
  int32   mode?@3

SecretSource
  string       secretName@1
  [KeyToPath]  items@2
  int32        defaultMode?@3
  bool         optional?@4

ConfigMapSource
  string       name@1.1
  [KeyToPath]  items@2
  int32        defaultMode?@3
  bool         optional?@4

DownwardAPISource
  [DownwardAPIFile]  items@1
  int32              defaultMode?@2

DownwardAPIFile
  string                 path!@1
  ObjectFieldSelector    fieldRef@2
  ResourceFieldSelector  resourceFieldRef@3
  int32                  mode?@4

ProjectedSource
  [VolumeProjection]  sources@1
  int32               defaultMode?@2

VolumeProjection
  SecretProjection       secret@1 configMap@3
  DownwardAPISource      downwardAPI@2
  ServiceAccountTokenProjection  serviceAccountToken@4
  any                    clusterTrustBundle podCertificate

SecretProjection
  string       name@1.1
  [KeyToPath]  items@2
  bool         optional?@4

ServiceAccountTokenProjection
  string  audience@1 path!@3
  int64   expirationSeconds?@2

PersistentVolumeClaimSource
  string  claimName!@1
  bool    readOnly@2
`;
